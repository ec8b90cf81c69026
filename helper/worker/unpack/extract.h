/* Writes the data archive of one package into the tree, as dpkg would before it configures the
 * package: conffiles get the suffix ".dpkg-new". Runs in the unpack jail, whose root is the tree,
 * beside other processes that do the same with other packages. */
#pragma once

#include "helper/worker/unpack/deb.h"
#include "helper/worker/unpack/filter.h"

/* What is the same for all packages of a tree. */
struct layout {
	int tree;    /* descriptor of the tree's root */
	int work;    /* of the directory that exists only while packages are unpacked */
	bool merged; /* /bin and the like are links into /usr */
	char arch[SUITE_MAX + 1];
	struct words filters;
};

struct extraction {
	const struct layout *layout;
	struct deb *deb;
	const char *conffiles; /* the control file of that name, or NULL */
	bool first;	       /* set the mode and owner of directories that exist already, too */
	bool piece;	       /* of a finished tree: no file may exist already */
	bool sums;	       /* write the package's md5sums */
	FILE *list, *md5sums;  /* as in dpkg's database; memory streams of the function's caller */
	/* Set if dpkg itself has to unpack the package: another one has a file of the same name, or
	 * the package has something that only dpkg may interpret. What was written then stays. */
	bool leave_to_dpkg;

	char parent[PATH_LENGTH_MAX]; /* the directory that PARENT_FD is open on */
	int parent_fd;
	char **listed;
	size_t listed_count;
};

/* A file in the work directory, with a line "bin 755 SECONDS" for each directory, such as /bin,
 * that a package contains but that is a link here: its name, mode and time. If base-files diverts
 * the name (noble, trixie), dpkg would create it under the other name, and so does the plan
 * (unpack_plan.c). */
#define ALIASES "_aliases"

/* Reads the open data member to its end. ERR_PACKAGE if a name is absolute, has "..", or leads
 * through a symlink, if a hard link's target is not in the same package, or if there is a
 * device. */
int extract(struct extraction *x, struct error **err);

/* Makes /NAME (bin, sbin, lib, …) a link into /usr. */
int extract_alias(const struct layout *layout, const char *name);

/* Whether PATH (without a leading "/") begins with a directory that is a link into /usr on a merged
 * system. *LENGTH becomes the length of its first component. */
bool extract_aliased(const char *path, size_t *length);
