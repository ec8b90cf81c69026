/* The command line of rootlet fstests. */
#pragma once

#include "frontend/commands/vm_line.h"
#include "frontend/fstests/fstests.h"
#include "frontend/fstests/shard.h"

enum {
	OPTION_FSTESTS = OPTION_VM_OWN,
	OPTION_BUILD,
	OPTION_HOST_ROOT,
	OPTION_FSTYPE,
	OPTION_MKFS,
	OPTION_MKFS_OPTIONS,
	OPTION_MOUNT_OPTIONS,
	OPTION_CONFIG,
	OPTION_DEVICES,
	OPTION_DEVICE_SIZE,
	OPTION_DEVICE_BACKING,
	OPTION_DEVICE,
	OPTION_IO_SCHEDULER,
	OPTION_VNG_ARG,
	OPTION_TEST_TIMEOUT,
	OPTION_STOP_ON_CRASH,
	OPTION_KMEMLEAK,
	OPTION_DUMP_ON_CRASH,
	OPTION_GCOV,
	OPTION_INSTALL_MISSING,
	OPTION_RESULTS,
	OPTION_JUNIT,
	OPTION_BASELINE,
	OPTION_EXCLUDE,
	OPTION_SHARD,
	OPTION_DURATIONS,
	OPTION_JOBS,
	OPTION_CLUSTER,
	OPTION_CLUSTER_TASKS,
	OPTION_CLUSTER_OPTION,
	OPTION_CLUSTER_DIRECTORY,
	OPTION_RESUME,
	OPTION_REPEAT,
	OPTION_UNTIL_FAILURE,
	OPTION_RETRY_FAILED,
	OPTION_QUARANTINE,
	OPTION_CONFIGURATION,
};

/* The options, closed by a row without a name. */
extern const struct option_row fstests_rows[];

/* Reads the options that concern one guest's tests. O's strings are those of LINE, except append,
 * which the caller frees. */
int fstests_read_line(struct fstests_options *o, const struct parsed_line *line,
		      struct error **err);

/* Refuses options that do not go together. CONFIGURATIONS: those of the option. CLUSTER: the tests
 * run elsewhere. */
int fstests_check_combination(const struct fstests_options *o, const struct shard *shard,
			      const struct configurations *configurations, bool cluster,
			      struct error **err);

/* Refuses what needs this host's own files, which the machines of a Slurm cluster lack. */
int fstests_check_cluster(const struct fstests_options *o, const struct shard *shard,
			  struct error **err);

/* Refuses options that would change a run that goes on with --resume. */
int fstests_check_resumed(const struct parsed_line *line, struct error **err);

/* Refuses --keyring where nothing is downloaded. */
int fstests_check_keyring(const struct fstests_options *o, const struct parsed_line *line,
			  struct error **err);
