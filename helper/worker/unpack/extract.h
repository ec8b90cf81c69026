/* Writes the data archive of one package into the tree, as dpkg would before anything of it is
 * configured: conffiles get the suffix ".dpkg-new". Runs in the unpack jail, whose root is the
 * tree, beside other processes that do the same with other packages. */
#pragma once

#include "helper/worker/unpack/deb.h"
#include "helper/worker/unpack/filter.h"

/* What holds for all packages of a tree. */
struct layout {
	int tree;    /* descriptor of the tree's root */
	int work;    /* of the folder with what is only there while packages are unpacked */
	bool merged; /* /bin and its like are links into /usr */
	char arch[SUITE_MAX + 1];
	struct words filters;
};

struct extraction {
	const struct layout *layout;
	struct deb *deb;
	const char *conffiles; /* the control file of that name, or NULL */
	bool first;	       /* its folders' modes and owners hold, whoever made them */
	bool sums;	       /* write MD5SUMS */
	FILE *list, *md5sums;  /* as in dpkg's database; memory streams of the caller's */
	/* Set where dpkg itself has to unpack the package: another one has a file of the same name,
	 * or it has what is dpkg's to interpret. What was written then stays. */
	bool leave_to_dpkg;

	char parent[PATH_LENGTH_MAX]; /* the folder that PARENT_FD is */
	int parent_fd;
	char **listed;
	size_t listed_count;
};

/* In the work folder: a line "bin 755 SECONDS" for each directory /bin and its like that a package
 * holds while here it is a link: its name, mode and time. Where base-files diverts the name (noble,
 * trixie), dpkg would make it under the other name, and the plan does (unpack_plan.c). */
#define ALIASES "_aliases"

/* Reads the open data member to its end. ERR_PACKAGE where a name is absolute, has "..", or leads
 * through a symlink, a hard link's target is not of the same package, or there is a device. */
int extract(struct extraction *x, struct error **err);

/* Makes /NAME (bin, sbin, lib…) a link into /usr. */
int extract_alias(const struct layout *layout, const char *name);

/* Whether PATH (without "/" in front) begins with a folder that is a link into /usr where that is
 * merged; *LENGTH is the length of its first component then. */
bool extract_aliased(const char *path, size_t *length);
