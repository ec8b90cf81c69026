/* --cluster-option of --cluster kubernetes: words of the form KEY=VALUE that say where the pods get
 * what they need. */
#pragma once

#include <stddef.h>

#include "lib/error.h"

struct kubernetes_options {
	const char *image;	/* of the containers */
	const char *claim;	/* a PersistentVolumeClaim */
	const char *kvm;	/* the resource of the KVM device; NULL to emulate the guests */
	const char *name;	/* of the job; NULL if not given */
	const char *name_space; /* NULL for that of the user's context */
};

/* Reads COUNT words. OUT points into them. ERR_INPUT if one is wrong, is given twice or is missing.
 * Sources: Kubernetes' rules for names of objects and of extended resources. */
int kubernetes_read_options(const char *const *words, size_t count, struct kubernetes_options *out,
			    struct error **err);
