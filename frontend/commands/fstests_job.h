/* One run of rootlet fstests, and what has to be ready before it starts. */
#pragma once

#include "frontend/cluster/submission.h"
#include "frontend/fstests/check_words.h"
#include "frontend/fstests/comparison.h"
#include "frontend/fstests/fstests.h"
#include "frontend/fstests/fstests_source.h"
#include "frontend/fstests/not_run.h"
#include "frontend/rootfs/auto_upgrade.h"
#include "frontend/vm/guest_count.h"
#include "frontend/vm/guest_root.h"

/* Bytes that a file for --config may have. */
#define FSTESTS_CONFIG_MOST 65536

struct fstests_job {
	struct fstests_options options;
	struct upgrade_wish upgrade;
	struct guest_count count;
	char *kernel_tree; /* that rootlet was started in, if --kernel is not given */
	char *fstypes;	   /* that may be tested: --fstype's and those in --config */
	char *tested;	   /* that are tested: "ext4,xfs" */
	struct rootfs rootfs;
	struct root root;
	struct fstests_source source;
	struct check_words words;
	struct vm_disk disks[VM_DISKS_MAX];
	struct vm_share shares[VM_SHARES_MAX];
	char *device_paths[DEVICES_MAX], *results_share;
	struct run_dir first; /* --baseline */
	struct results baseline;
	struct comparison comparison; /* with the baseline, or with all earlier runs */
	struct lackings lackings;     /* --install-missing */
	struct cluster_request cluster;
	struct submission_kept kept;	  /* with --resume */
	char *cluster_directory, *shared; /* path of the run in it */
	struct fstests_run run;
};

void fstests_job_clear(struct fstests_job *j);

/* Opens or makes what the run needs: rootfs, root image, kernel, built fstests and disks. */
int fstests_job_prepare(struct fstests_job *j, struct error **err);

/* Reads the run that --baseline names, if any. Called before this run's directory is made, so that
 * "last" is the previous run. */
int fstests_job_baseline(struct fstests_job *j, struct error **err);

/* Reads how long each test took: as --durations says, else in the newest runs of the same
 * filesystem, else in any. */
void fstests_job_durations(struct fstests_job *j);

/* Prepares the root again: its rootfs has changed. */
int fstests_job_reopen_root(struct fstests_job *j, struct error **err);

void fstests_job_add_share(struct fstests_job *j, const char *host, const char *guest,
			   bool read_only);
