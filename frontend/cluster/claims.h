/* Work that tasks on several machines share through a directory, which may be on NFS. There is no
 * daemon, no lock, and no file that two machines write to. A batch is a file that only renames
 * move:
 *
 *   queue/NUMBER.gGENERATION.lLOSSES          may be taken
 *   claims/NUMBER.gGENERATION.lLOSSES.TASK    TASK has claimed it
 *   done/NUMBER.gGENERATION.lLOSSES.TASK      TASK has finished it
 *
 * So a batch is always in exactly one place, whichever process dies. A repeated NFS request can
 * report that a rename failed although it succeeded. Therefore only one process ever wants a
 * target: if the target exists, the rename succeeded. A batch that returns to the queue gets the
 * next generation, and the task that had it can no longer finish it.
 *
 * A name of a task belongs to one process: a task that starts again gets another name. A dead task
 * can still get a batch if a request of its machine was delayed: look for its claims until the end.
 *
 * DIR is a descriptor of the directory. Names in it are not trusted: other names are ignored. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

#define CLAIM_TASK_SIZE 64
#define CLAIM_LOSSES_MOST 3 /* then the batch is finished as lost */

struct claim {
	unsigned int number, generation; /* the generation counts from 1 */
	unsigned int losses;		 /* tasks that were lost with it */
	char task[CLAIM_TASK_SIZE];	 /* letters, digits, - and _; "" in the queue */
};

enum claim_place { CLAIM_QUEUE, CLAIM_CLAIMS, CLAIM_DONE };

/* Creates the three directories and, if FIRST is not NULL, a batch 0 with that text in the queue.
 * No other process may know DIR yet. */
int claims_make(int dir, const char *first, struct error **err);

/* Puts all batches, numbered from 1, into the empty queue at once. Does nothing if they were
 * published before. If two processes try at once, the batches of one of them are used. */
int claims_publish(int dir, char *const *texts, size_t count, struct error **err);

/* Whether the batches were published. If so, an empty queue stays empty unless a batch returns.
 * Call it before looking at the queue: the batches may be published in between. */
bool claims_published(int dir);

/* Takes the batch with the lowest number for TASK and reads its text, which the caller frees.
 * Returns 1, or 0 if the queue is empty. ERR_MISSING if it was given away at once. */
int claims_take(int dir, const char *task, struct claim *claim, char **text, struct error **err);

/* Move a claim and return 1, or return 0 if it is no longer TASK's because it was moved before. The
 * results must be on the server (fsync) before the batch is finished. */
int claims_finish(int dir, const struct claim *claim, struct error **err);
int claims_return(int dir, const struct claim *claim, struct error **err);

/* Returns the batch of a lost task to the queue or, the third time, finishes it in that task's name
 * with CLAIM_LOSSES_MOST losses. */
int claims_lose(int dir, const struct claim *claim, struct error **err);

/* Finishes the batch as lost at once. */
int claims_give_up(int dir, const struct claim *claim, struct error **err);

/* Lists the batches in a place by number. The caller frees the list. */
int claims_list(int dir, enum claim_place place, struct claim **list, size_t *count,
		struct error **err);

/* Reads the text of a batch in PLACE; NULL with ERR set: ERR_MISSING if it is no longer there. */
char *claims_read(int dir, enum claim_place place, const struct claim *claim, struct error **err);
