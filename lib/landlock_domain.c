#include "lib/landlock_domain.h"

#include <fcntl.h>
#include <sys/syscall.h>

#define CONNECT_TCP UINT64_C(2)	    /* 4 */
#define TCP UINT64_C(3)		    /* 4: bind, connect */
#define ABSTRACT_SOCKET UINT64_C(1) /* 6 */
#define SIGNAL UINT64_C(2)	    /* 6 */
#define RULE_NET_PORT 2		    /* enum landlock_rule_type */

/* The kernel's structures, as of interface versions 6 and 4. */
struct handled {
	uint64_t files, network, scopes;
};

struct port_rule {
	uint64_t access, port;
};

int landlock_version(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

static struct handled handled_by(int version, bool signals)
{
	struct handled h = { .files = LANDLOCK_FILES_1 };

	h.files |= (version >= 2 ? LANDLOCK_REFER : 0) | (version >= 3 ? LANDLOCK_TRUNCATE : 0) |
		   (version >= 5 ? LANDLOCK_IOCTL_DEV : 0);
	h.network = version >= 4 ? TCP : 0;
	h.scopes = version >= 6 ? ABSTRACT_SOCKET | (signals ? SIGNAL : 0) : 0;
	return h;
}

/* For files, the kernel refuses rights that apply to directories only. */
static int landlock_add_rule(int ruleset, int fd, uint64_t access)
{
	const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_TRUNCATE |
				  LANDLOCK_IOCTL_DEV;
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
	long r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);

	if (r < 0 && errno == EINVAL && (access & of_files) != access) {
		rule.allowed_access = access & of_files;
		r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	return (int)r;
}

static int landlock_add_place(int ruleset, const struct landlock_place *place, uint64_t handled)
{
	_cleanup_close_ int fd = place->path ? open(place->path, O_PATH | O_CLOEXEC) : -1;

	if (!place->path)
		return landlock_add_rule(ruleset, place->fd, place->access & handled);
	return fd < 0 ? 0 : landlock_add_rule(ruleset, fd, place->access & handled);
}

static int add_port(int ruleset, uint16_t port)
{
	struct port_rule rule = { CONNECT_TCP, port };

	return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0);
}

int landlock_domain_enter(const struct landlock_domain *domain, struct error **err)
{
	int version = landlock_version(), r = 0;
	struct handled handled = handled_by(version, domain->signals);
	/* An older kernel accepts no structure longer than its own. */
	size_t size = version >= 6 ? sizeof(handled) : version >= 4 ? 16 : 8;
	_cleanup_close_ int ruleset = -1;

	if (version == 0)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
	for (size_t i = 0; ruleset >= 0 && r == 0 && i < domain->place_count; i++)
		r = landlock_add_place(ruleset, &domain->places[i], handled.files);
	for (size_t i = 0; ruleset >= 0 && r == 0 && handled.network && i < domain->port_count; i++)
		r = add_port(ruleset, domain->ports[i]);
	if (ruleset < 0 || r < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot enter a Landlock domain");
	return 0;
}
