/* The packages of a new tree, as its plan and its database have them. */
#pragma once

#include "helper/worker/unpack/package.h"

struct unpacked_package {
	char name[PACKAGE_NAME_MAX + 1];
	enum package_state state;
	char *control; /* its control file */
	size_t control_size;
	bool base;	 /* dpkg needs it, or it is essential: its scripts may rely on none else */
	bool unpacked;	 /* while the plan is made: at this point of it */
	bool configured; /* likewise */
};

struct unpack_plan {
	struct unpacked_package packages[PACKAGES_MAX];
	size_t count;
};

/* NULL with ERR set where NAME is there already, or there is no more room. */
struct unpacked_package *plan_add(struct unpack_plan *plan, const char *name, struct error **err);

/* FIELD of the package with its continuation lines, or NULL. */
const char *package_field(const struct unpacked_package *p, const char *field, size_t *size);

/* "libattr1:amd64" where that is the name in dpkg's database, else "attr". */
void package_database_name(const struct unpacked_package *p, const struct layout *layout, char *out,
			   size_t size);
