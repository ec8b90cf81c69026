/* Tasks that were lost, and the batches that they had. A batch fails after it was lost on
 * CLAIM_LOSSES_MOST nodes. A node may be what is broken: its further losses of the same batch do
 * not count, up to LOSSES_MOST in all. The shared directory remembers them:
 *
 *   losses/NUMBER.NODE.TASK   TASK was lost on NODE while it had batch NUMBER
 *
 * Only the process with the lease calls these. */
#pragma once

#include "frontend/cli/progress.h"
#include "frontend/cluster/claims.h"
#include "frontend/cluster/shared_run.h"
#include "frontend/cluster/slurm.h"

#define LOSSES_MOST 5	      /* of one batch */
#define LOSSES_REASON ".lost" /* tasks/TASK.lost says why the task counts as lost */

/* Asks Slurm how TASK ended, keeps that for the results, and tells the user. NODE becomes the node
 * that it ran on, "" if unknown. */
void losses_explain(const struct shared_run *shared, const char *task, struct progress *progress,
		    char node[static SLURM_NODE_SIZE]);

/* Takes the batch CLAIM back from a task that was lost on NODE: see claims_lose(). Returns 1, or 0
 * if the task no longer has it. */
int losses_take_back(int dir, const struct claim *claim, const char *node, struct error **err);

/* How many tasks were lost with the batch NUMBER; 0 if that is unknown. */
unsigned int losses_count(int dir, unsigned int number);
