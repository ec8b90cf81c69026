/* What is left for dpkg once the packages are unpacked: a database in which they are so, and a
 * shell script, /var/lib/dpkg/rootlet/_plan, that has dpkg do the rest in an order that Debian
 * Policy 6.5 and 7.2 allow. Formats: deb-control(5), deb-triggers(5), dpkg's status file. */
#pragma once

#include "helper/worker/unpack/package.h"

struct package {
	char name[PACKAGE_NAME_MAX + 1];
	enum package_state state;
	char *control; /* its control file */
	size_t control_size;
	bool base;	 /* dpkg needs it, or it is essential: its scripts may rely on none else */
	bool unpacked;	 /* while the plan is made: at this point of it */
	bool configured; /* likewise */
};

struct plan {
	struct package packages[PACKAGES_MAX];
	size_t count;
};

/* NULL with ERR set where NAME is there already, or there is no more room. */
struct package *plan_add(struct plan *plan, const char *name, struct error **err);

/* Reads the control files of all packages and says which are base. */
int plan_read(struct plan *plan, const struct layout *layout, struct error **err);

/* Writes the plan. database.c */
int plan_write(struct plan *plan, const struct layout *layout, struct error **err);

/* Writes dpkg's database for the packages that are unpacked, and puts the conffiles of base
 * packages in place. database.c */
int database_write(const struct plan *plan, const struct layout *layout, struct error **err);

/* FIELD of the package with its continuation lines, or NULL. */
const char *package_field(const struct package *p, const char *field, size_t *size);

/* "libattr1:amd64" where that is the name in dpkg's database, else "attr". */
void package_database_name(const struct package *p, const struct layout *layout, char *out,
			   size_t size);
