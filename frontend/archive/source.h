/* Where packages come from: known releases, their default mirrors and keyrings. Reads only the
 * host's apt configuration and keyrings; does not access the network. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/archive/apt.h"
#include "frontend/archive/repository.h"
#include "lib/error.h"

#define APT_DIR "/etc/apt"
#define SOURCE_POCKET_MIRRORS 2

/* The user's choices; NULL is the default for the suite. */
struct source {
	const char *suite, *arch, *mirror, *keyring;
	const char *const *components; /* NULL-terminated or NULL */
	/* A dated archive in place of MIRROR: its date, or its URL. */
	const char *snapshot;
	/* MIRROR is a dated archive of this time, in seconds since 1970; 0: it is current. */
	int64_t dated;
	const struct repository *repositories;
	size_t repository_count;
	const char *purpose; /* for progress: "the kernel"; NULL: a rootfs */
	bool allow_older;    /* accept release files older than ones seen before */
	bool published;	     /* a published rootfs named SUITE, which is one pocket */
};

/* The result. Mirrors are http://, https:// or file:// URLs without a trailing slash. */
struct origin {
	char *suite, *arch;
	char *distribution; /* "Ubuntu", "Debian", or NULL for a suite that is not in the table */
	char *mirror;
	int64_t dated;			       /* as in struct source */
	char *security[SOURCE_POCKET_MIRRORS]; /* tried in this order; NULL: no more */
	char *keyring;
	char **components; /* NULL-terminated */
	struct repository *repositories;
	size_t repository_count; /* at most REPOSITORIES_MAX */
	bool published;
};

/* Known releases, NULL-terminated, and the distribution of one (NULL if unknown). */
const char *const *source_suites(void);
const char *source_distribution(const char *suite);

/* The host's architecture as Debian writes it, "amd64". */
const char *source_native_arch(void);

/* Fills in all defaults. APT_DIR is "/etc/apt". ERR_INPUT if something is malformed or unknown,
 * ERR_HOST if the keyring or a mirror is missing. */
int source_plan(const struct source *source, const char *apt_dir, struct origin **out,
		struct error **err);
void origin_free(struct origin **origin);

/* The host's apt entry for Debian's archive of SUITE (or for its security pocket), or NULL. */
const struct apt_entry *source_debian_entry(const struct apt_entries *entries, const char *suite,
					    bool security);
