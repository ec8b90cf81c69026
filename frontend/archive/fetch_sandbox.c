#include "frontend/archive/fetch_sandbox.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/landlock_domain.h"
#include "lib/memory_code.h"
#include "policy/privilege_sets.h"
#include "proto/validate.h"

#include "seccomp_filters.h"

#define MEMORY_MAX ((rlim_t)4 << 30)	     /* a 512 MiB index and libsolv's data for it */
#define FILE_MAX ((rlim_t)16 << 30)	     /* a package */
#define DESCRIPTORS_MAX (PACKAGES_MAX + 256) /* a partial file for each pending package */

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED 1 /* its shadow memory exceeds any limit */
#else
#define SANITIZED 0
#endif

#define WRITE_FILES                                                                                \
	(LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |             \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_TRUNCATE)

/* Certificates for libcurl's TLS libraries, and directories that links among them point to.
 * Missing ones are skipped. */
static const char *const certificates[] = {
	"/etc/ssl",
	"/etc/pki",
	"/etc/ca-certificates",
	"/usr/lib/ssl",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/var/lib/ca-certificates",
};
#define CERTIFICATES (sizeof(certificates) / sizeof(*certificates))

static const char *const certificate_variables[] = { "CURL_CA_BUNDLE", "SSL_CERT_FILE",
						     "SSL_CERT_DIR" };
#define CERTIFICATE_VARIABLES (sizeof(certificate_variables) / sizeof(*certificate_variables))

#define PLACES_MAX                                                                                 \
	(CERTIFICATES + CERTIFICATE_VARIABLES + SANDBOX_WRITABLE_MAX + 1 + SANDBOX_READABLE_MAX)

int fetch_sandbox_clear_environment(struct error **err)
{
	static const char *const kept[] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY",    "all_proxy",	"ALL_PROXY",
		"no_proxy",   "NO_PROXY",    "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
	};
	const size_t count = sizeof(kept) / sizeof(*kept);
	char *values[sizeof(kept) / sizeof(*kept)] = { NULL };
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		const char *value = getenv(kept[i]);

		if (value && !(values[i] = strdup(value)))
			r = error_no_memory(err);
	}
	for (char **one = environ; one && *one; one++)
		explicit_bzero(*one, strlen(*one));
	clearenv();
	for (size_t i = 0; i < count; i++) {
		if (values[i] && setenv(kept[i], values[i], 1) < 0)
			r = error_no_memory(err);
		free(values[i]);
	}
	return r;
}

/* Returns how many places it added. */
static size_t add_certificates(struct landlock_place places[static PLACES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < CERTIFICATES; i++)
		places[count++] = (struct landlock_place){ certificates[i], -1, LANDLOCK_READ };
	for (size_t i = 0; i < CERTIFICATE_VARIABLES; i++) {
		const char *path = getenv(certificate_variables[i]);

		if (path && *path)
			places[count++] = (struct landlock_place){ path, -1, LANDLOCK_READ };
	}
	return count;
}

#define CONNECT_TCP UINT64_C(2) /* since version 4 of the kernel's interface */
#define RULE_NET_PORT 2		/* enum landlock_rule_type */

/* Allows TCP to connect to SANDBOX's ports. */
static int add_ports(int ruleset, const struct fetch_sandbox *sandbox)
{
	long r = 0;

	for (size_t i = 0; r == 0 && landlock_version() >= 4 && i < sandbox->port_count; i++) {
		/* The kernel's structure. */
		const struct {
			uint64_t access, port;
		} rule = { CONNECT_TCP, sandbox->ports[i] };

		r = syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0);
	}
	return (int)r;
}

static int enter_landlock(const struct fetch_sandbox *sandbox, struct error **err)
{
	struct landlock_place places[PLACES_MAX];
	struct landlock_domain domain = {
		.places = places,
		.signals = true,
	};
	_cleanup_close_ int ruleset = -1;

	if (sandbox->certificates)
		domain.place_count = add_certificates(places);
	for (size_t i = 0; i < sandbox->readable_count; i++)
		places[domain.place_count++] =
			(struct landlock_place){ sandbox->readable[i], -1, LANDLOCK_READ };
	for (size_t i = 0; i < sandbox->writable_count; i++)
		places[domain.place_count++] =
			(struct landlock_place){ sandbox->writable[i], -1, WRITE_FILES };
	if (sandbox->tree)
		places[domain.place_count++] =
			(struct landlock_place){ sandbox->tree, -1,
						 WRITE_FILES | LANDLOCK_ACCESS_FS_MAKE_DIR };
	if (landlock_version() == 0)
		return 0;
	ruleset = landlock_domain_open(&domain);
	if (ruleset < 0 || add_ports(ruleset, sandbox) < 0 || landlock_ruleset_enter(ruleset) < 0)
		return error_errno(err, ERR_HOST, "cannot enter a Landlock domain");
	return 0;
}

static int lower_limit(int resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -1;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit);
}

/* A core limit of 1 keeps the kernel from running the host's crash handler; see core(5). */
static int limit_resources(struct error **err)
{
	if (lower_limit(RLIMIT_CORE, 1) < 0 || lower_limit(RLIMIT_FSIZE, FILE_MAX) < 0 ||
	    lower_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX) < 0 || lower_limit(RLIMIT_NPROC, 0) < 0 ||
	    lower_limit(RLIMIT_MEMLOCK, 0) < 0 || lower_limit(RLIMIT_MSGQUEUE, 0) < 0 ||
	    (!SANITIZED && lower_limit(RLIMIT_AS, MEMORY_MAX) < 0))
		return error_errno(err, ERR_SYSTEM, "cannot limit the fetch process");
	return 0;
}

/* Only root has any to drop. */
static int drop_capabilities(struct error **err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &header, none) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot drop capabilities");
	return 0;
}

static int load_filter(const struct sock_fprog *filter)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter);
}

int fetch_sandbox_enter(const struct fetch_sandbox *sandbox, struct error **err)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot confine the fetch process");
	memory_refuse_code(true);
	if (limit_resources(err) < 0 || enter_landlock(sandbox, err) < 0 ||
	    drop_capabilities(err) < 0)
		return -1;
	/* The list forbids loading more filters, so load the argument filter first. */
	if (load_filter(&argument_filters[PRIVILEGES_FETCH]) < 0 ||
	    load_filter(&list_filters[PRIVILEGES_FETCH]) < 0)
		return error_errno(err, ERR_HOST,
				   "cannot load the seccomp list of the fetch process; the kernel "
				   "needs CONFIG_SECCOMP_FILTER");
	return 0;
}
