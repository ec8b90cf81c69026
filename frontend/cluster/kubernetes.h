/* A run of fstests on a Kubernetes cluster: prints the manifest of an Indexed Job whose pods run
 * one part of the tests each, and of a Job that merges the parts. Runs nothing and talks to nobody.
 * API: batch/v1, Kubernetes 1.33 and later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "frontend/cluster/kubernetes_options.h"
#include "lib/error.h"

struct kubernetes_run {
	struct kubernetes_options options;
	unsigned int tasks;
	const char *directory; /* where pods see the claim's volume */
	/* Of rootlet fstests, without --shard and --results; arguments of check; further words of
	 * rootlet runs merge, or NULL. All end with NULL. */
	char *const *words, *const *tests, *const *merge_words;
	const char *results;	   /* for the merged run, or NULL */
	unsigned int guests, cpus; /* guests of a pod; processors of each */
	uint64_t memory;	   /* MiB of each */
	bool host_root, memory_disks;
};

/* ERR_INPUT if a word is not UTF-8. */
int kubernetes_print(FILE *out, const struct kubernetes_run *run, struct error **err);
