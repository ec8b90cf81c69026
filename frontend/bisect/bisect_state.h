/* The directory of a bisect: $XDG_STATE_HOME/rootlet/bisects/ID/.
 *
 *   bisect.json     what was asked for, and what is known so far
 *   steps.jsonl     a line for each kernel that was tested
 *   config          the kernel's configuration
 *   worktree/       the git worktree in which kernels are built; removed at the end
 *   build.log       the output of the last build; build-COMMIT.log of each that failed
 *   events.jsonl    what the last rootlet fstests printed
 *   errors.log      its error messages
 *
 * The process that drives it holds a lock on the directory. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

#define BISECT_WORKTREE "worktree"
#define BISECT_CONFIG "config"
#define BISECT_BUILD_LOG "build.log"
#define BISECT_EVENTS "events.jsonl"
#define BISECT_ERRORS "errors.log"

struct bisect_state {
	char *id, *path; /* the path is absolute */
	int fd;
	json_t *record; /* bisect.json */
};

#define BISECT_STATE_NONE ((struct bisect_state){ .fd = -1 })

/* Makes a new directory and takes its lock. */
int bisect_state_make(struct bisect_state *s, struct error **err);

/* Opens the directory of bisect ID; "last": of the newest one. LOCK: takes its lock, too; ERR_BUSY
 * if another process has it. */
int bisect_state_open(struct bisect_state *s, const char *id, bool lock, struct error **err);
void bisect_state_close(struct bisect_state *s);

/* The path of NAME in it. The caller frees it; NULL if out of memory. */
char *bisect_state_path(const struct bisect_state *s, const char *name);

/* Writes bisect.json, atomically. */
int bisect_state_write(const struct bisect_state *s, struct error **err);

/* A text in bisect.json, or NULL. */
const char *bisect_state_text(const struct bisect_state *s, const char *key);

/* Adds a line to steps.jsonl. */
int bisect_state_add_step(const struct bisect_state *s, const json_t *step, struct error **err);

/* The steps so far, an array; a new reference. NULL with ERR set. */
json_t *bisect_state_steps(const struct bisect_state *s, struct error **err);
