/* Where packages come from: the known releases, their default mirrors and keyrings.
 * Looks at nothing but the host's apt configuration and keyrings; goes to no network. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/archive/apt.h"
#include "lib/error.h"

#define SOURCE_POCKET_MIRRORS 2

/* What the user asked for; NULL = default for the suite. */
struct source {
	const char *suite, *arch, *mirror, *keyring;
	const char *const *components; /* NULL-terminated or NULL */
	const char *purpose;	       /* for progress: "the kernel"; NULL: a rootfs */
	bool allow_older;	       /* release files that are older than ones before */
};

/* What that comes to. Mirrors are http://, https:// or file:// URLs without a slash at the end. */
struct origin {
	char *suite, *arch;
	char *distribution; /* "Ubuntu", "Debian", or NULL for a suite that is not in the table */
	char *mirror;
	char *security[SOURCE_POCKET_MIRRORS]; /* tried in this order; NULL = no further */
	char *keyring;
	char **components; /* NULL-terminated */
};

/* Known releases, NULL-terminated, and whose they are (NULL where unknown). */
const char *const *source_suites(void);
const char *source_distribution(const char *suite);

/* The host's architecture as Debian writes it, "amd64". */
const char *source_native_arch(void);

/* Fills in every default. APT_FOLDER is "/etc/apt". ERR_INPUT for what is malformed or unknown,
 * ERR_HOST where the keyring is missing or no mirror can be named. */
int source_plan(const struct source *source, const char *apt_folder, struct origin **out,
		struct error **err);
void origin_free(struct origin **origin);

/* An absolute path or a URL as a URL without trailing slashes; ERR_INPUT for other schemes.
 * The result is the caller's. */
char *source_mirror_url(const char *mirror, struct error **err);

/* Which of the host's entries is Debian's archive for SUITE (or its security pocket's), or NULL. */
const struct apt_entry *source_debian_entry(const struct apt_entries *entries, const char *suite,
					    bool security);
