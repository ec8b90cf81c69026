/* Compares what fstests asks for (requirements.h) with a rootfs and a kernel, and names the
 * packages that have what is missing. */
#pragma once

#include <stdbool.h>

#include "frontend/archive/program_index.h"
#include "frontend/client/client.h"
#include "frontend/fstests/requirements.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/vm/kernel_features.h"

enum dependency_state {
	DEPENDENCY_UNKNOWN, /* not compared, or the kernel does not say */
	DEPENDENCY_PRESENT,
	DEPENDENCY_MISSING,
};

struct dependency {
	const struct requirement *requirement;
	enum dependency_state state;
	char package[PACKAGE_NAME_MAX + 1]; /* that has the missing command; "": none */
	char option[PACKAGE_NAME_MAX + 1];  /* kernel option of a module, without CONFIG_ */
};

struct dependencies {
	struct dependency *list; /* in the order of the requirements */
	size_t count;
};

/* REQUIREMENTS remain the caller's. Returns 0, or -1 with ERR set. */
int dependencies_new(const struct requirements *requirements, struct dependencies *out,
		     struct error **err);
void dependencies_clear(struct dependencies *dependencies);

/* Looks for commands, users and groups in the rootfs, which comes from view_open(). */
int dependencies_check_rootfs(struct dependencies *dependencies, struct helper *helper, int rootfs,
			      struct error **err);

/* Compares options and modules. */
void dependencies_check_kernel(struct dependencies *dependencies,
			       const struct kernel_features *features);

/* Finds the index of programs of the rootfs's release: see program_source_find(). */
int dependencies_find_index(const struct manifest *manifest, const char *keyring,
			    struct helper *helper, struct progress *progress, bool offline,
			    struct program_index *index, char **failure, struct error **err);

/* Sets the packages of missing commands. INDEX is that of the rootfs's release; without text, only
 * the built-in table is there. A package that the rootfs has already does not have the command. */
void dependencies_find_packages(struct dependencies *dependencies, const struct manifest *manifest,
				const struct program_index *index);

/* Sets PACKAGE to the one to install for COMMAND, as above, or to "" if no package has it. */
void dependency_package(const struct manifest *manifest, const char *command,
			const struct program_index *index,
			char package[static PACKAGE_NAME_MAX + 1]);

/* How many of KIND have STATE. */
size_t dependencies_count(const struct dependencies *dependencies, enum requirement_kind kind,
			  enum dependency_state state);
