/* What a manifest says about a rootfs: what it was made of, and how to recognize it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "frontend/archive/repository.h"
#include "frontend/rootfs/profile.h"

struct manifest_package {
	char *name, *version;
	/* NULL in format 1. SHA256 is that of the .deb, in hex; SOURCE is the source package that
	 * it was built from. */
	char *arch, *sha256, *source, *source_version;
	uint32_t repository; /* that it comes from: 1 for the first; 0: the release's archive */
};

/* A signed release file that listed the packages. */
struct manifest_release {
	char *pocket, *mirror; /* "security" or "repository-1"; without user name and password */
	char *sha256;	       /* of the InRelease file, in hex */
	int64_t date;	       /* seconds since the epoch, as signed */
};

struct manifest {
	char *profile, *profile_sha256; /* its name, and the SHA-256 of its file in hex */
	char *suite, *arch, *distribution, *mirror;
	struct repository *repositories;
	size_t repository_count;
	int64_t dated; /* the time of the dated archive that MIRROR is; 0: it is not one */
	uint32_t first_uid, first_gid, count; /* host ids of the rootfs's ids 0 to COUNT - 1; 0:
						 not recorded */
	int64_t created;		      /* seconds since the epoch */
	int64_t changed;     /* when packages were last installed, removed or upgraded; 0: never */
	uint32_t generation; /* 1, and one more for each such change */
	/* That `rootlet create --from` made it from: what it was published under, and its number.
	 * NULL: it was not made so, or no longer follows its publisher. */
	char *published;
	uint32_t published_generation;
	char *engine;	   /* NULL: format 1, as in the following */
	char **components; /* NULL-terminated, like the next two; NULL: none */
	/* Packages of the profile, of --include and of rootlet install, dependencies aside. */
	char **requested, **optional;
	struct path_filter *filters;
	size_t filter_count;
	struct manifest_release *releases;
	size_t release_count;
	struct manifest_package *packages;
	size_t package_count;
	char **left_out; /* NULL-terminated: profile packages the release lacks; NULL: none */
	struct account *users;
	size_t user_count;
	struct account_group *groups;
	size_t group_count;
};
