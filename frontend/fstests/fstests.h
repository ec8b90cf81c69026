/* Shared by the parts of `rootlet fstests`: the user's options, and the run. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend/cli/progress.h"
#include "frontend/fstests/configuration.h"
#include "frontend/fstests/coverage.h"
#include "frontend/fstests/durations.h"
#include "frontend/fstests/excludes.h"
#include "frontend/fstests/kernel_traces.h"
#include "frontend/fstests/results.h"
#include "frontend/fstests/run_directory.h"
#include "frontend/fstests/shard.h"
#include "frontend/fstests/test_groups.h"
#include "frontend/fstests/test_plan.h"
#include "frontend/fstests/test_supply.h"
#include "frontend/vm/guest_root.h"
#include "frontend/vm/vm.h"

/* Paths in the guest; frontend/guest/fstests.sh also uses them. */
#define FSTESTS_SHARE "/opt/rootlet/source"
#define RESULTS_SHARE "/opt/rootlet/results"
#define MODULES_SHARE "/opt/rootlet/modules"
#define FSTESTS_DISK "rootlet-fstests"

/* What check -n printed, in the run's directory; frontend/guest/fstests.sh writes it. */
#define RUN_LIST RUN_RESULTS "/rootlet.list"

/* The advice if the guest lacks something that fstests' programs need; the guest script prints it,
 * too. */
#define FSTESTS_LACKS_FIX                                                                          \
	"let rootlet build fstests (--build), or install the missing package "                     \
	"(rootlet install PACKAGE)"

#define DEVICES_MAX 24
#define VNG_WORDS_MAX 32
#define AGAIN_FOREVER UINT_MAX /* until a test fails */
#define EXCLUDE_FILES_MAX 32

struct fstests_options {
	const char *kernel, *keyring, *fstests, *name, *path;
	const char *fstype, *mkfs, *mkfs_options, *mount_options, *config, *boot;
	const char *configuration; /* "ext4/4k,xfs/4k"; NULL: none */
	const char *soak;	   /* SOAK_DURATION of fstests, or NULL */
	unsigned int device_count;
	uint64_t device_size; /* bytes */
	bool device_memory;
	const char *device_paths[DEVICES_MAX];
	unsigned int device_path_count;
	const char *io_scheduler, *memory, *cpus;
	char *append;
	const char *vng_words[VNG_WORDS_MAX + 1];
	size_t vng_word_count;
	unsigned int timeout, test_timeout; /* seconds; 0 for none */
	unsigned int boot_timeout;	    /* as in struct vm_config */
	unsigned int jobs;		    /* guests at once; at least 1 */
	unsigned int again;		    /* how often each test runs again; AGAIN_FOREVER */
	unsigned int retry_failed;	    /* how often a test that failed runs again */
	bool host_root, build, stop_on_crash, json, quiet, force_9p, unsealed, install_missing;
	bool until_failure, quarantine, kmemleak, gdb, dump_on_crash, gcov;
	enum root_transport transport;
	const char *overlays[VM_OVERLAYS_MAX + 1]; /* NULL-terminated */
	const char *results, *junit, *baseline, *durations;
	const char *excludes[EXCLUDE_FILES_MAX + 1]; /* NULL-terminated */
	char *const *tests;			     /* check's arguments */
	size_t test_count;
};

/* Exit statuses of `rootlet fstests`: the outcome of a run. */
enum fstests_exit {
	FSTESTS_PASSED = 0,
	FSTESTS_FAILED = 1,
	FSTESTS_USAGE = 2,
	FSTESTS_CRASHED = 3,
	FSTESTS_TIMED_OUT = 4,
	FSTESTS_NOT_RUN = 5,
	FSTESTS_INTERRUPTED = 130,
};

/* The tests that a run leaves out: run_excludes.h. */
struct run_excludes {
	struct excludes all;
	const char *kernel;  /* its version */
	const char *fstypes; /* under test, separated by commas; the first is the default */
	char today[sizeof("2026-11-30")];
	size_t count; /* tests of the plan that are left out */
};

struct fstests_run {
	const struct fstests_options *options;
	struct run_dir dir;
	struct vm_config vm; /* without the command */
	const char *source;  /* ROOTLET_SOURCE of frontend/guest/fstests.sh */
	const char *tree;    /* the built fstests tree on the host */
	char *const *words;  /* check's arguments, as the guest gets them */
	size_t word_count;
	struct configurations configurations; /* of --configuration; may be empty */
	char *config; /* text of fstests' configuration, --config's or theirs; NULL: none */
	struct test_plan plan; /* empty until known; with --shard, this part's tests */
	struct shard shard;
	struct run_excludes excludes;
	const struct test_supply *supply; /* NULL: the plan has all tests */
	struct durations *given;	  /* --durations; NULL if none */
	struct results results;
	struct kernel_traces kernel; /* what the kernel reported */
	struct durations *durations; /* of earlier runs */
	struct test_groups *groups;  /* of the tree's tests; may be NULL */
	struct progress *progress;
	/* Monotonic clock in seconds: start of the command, of its first boot, and of the guest's
	 * first test (0 if none). */
	double commanded, began, first_test;
	double held; /* seconds in which no time limit counted */
	struct coverage coverage;
	struct vm_dump dump; /* of the first kernel that crashed */
	unsigned int boots;
	char boot[8];	   /* how a cluster's tasks started the kernel; "mixed" if they differ */
	bool crashed;	   /* the kernel crashed, during a test or between tests */
	bool exhausted;	   /* the run's time is up */
	bool second_pass;  /* the plan has just the tests that run again: second_pass.h */
	size_t settled;	   /* results that the first pass left, or of excluded tests */
	char refusal[256]; /* why check did not run everything requested; "" if it did */
};

/* Whether tests may run more than once. */
bool fstests_repeats(const struct fstests_options *options);

/* Whether the command line names every test, so that no guest has to list them. Sets PLAN, which is
 * empty if not. */
bool fstests_run_knows_plan(const struct fstests_run *run, struct test_plan *plan);

/* The new disk NUMBER, from 0, of each guest. */
struct vm_disk fstests_device(const struct fstests_options *options, unsigned int number);

/* The exit status of a run that ended, by its results: the worst comes first. */
enum fstests_exit fstests_run_conclude(const struct fstests_run *run);

/* Frees what the run collected; its options, directory and VM are the caller's. */
void fstests_run_clear(struct fstests_run *run);
