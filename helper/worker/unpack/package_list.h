/* The packages that a tree gets, as the plan and the database see them. */
#pragma once

#include "helper/worker/unpack/package.h"
#include "proto/words.h"

struct unpacked_package {
	char name[PACKAGE_NAME_MAX + 1];
	enum package_state state;
	char *control; /* its control file */
	size_t control_size;
	bool base;	 /* dpkg needs it, or it is essential: its scripts may not rely on others */
	bool unpacked;	 /* while the plan is made: at this point of the plan */
	bool configured; /* likewise */
};

struct unpack_plan {
	struct unpacked_package packages[PACKAGES_MAX];
	size_t count;
	struct words removed; /* packages that the tree has, and loses */
};

/* Adds a package. NULL with ERR set if NAME exists already, or there is no more room. */
struct unpacked_package *plan_add(struct unpack_plan *plan, const char *name, struct error **err);

/* FIELD of the package with its continuation lines, or NULL. */
const char *package_field(const struct unpacked_package *p, const char *field, size_t *size);

/* The package's name in dpkg's database: "libattr1:amd64" or "attr". */
void package_database_name(const struct unpacked_package *p, const struct layout *layout, char *out,
			   size_t size);
