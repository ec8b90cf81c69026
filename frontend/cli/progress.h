/* What a long command shows while it works: one line that is rewritten on a terminal, a plain line
 * per stage (and one now and then) where standard output is none, nothing at all when quiet.
 * A NULL progress is allowed everywhere and says nothing. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "lib/cleanup.h"

struct progress;

/* AUTO shows on standard error and leaves standard output to what the command prints; STDOUT is for
 * a command that prints nothing else; JSON prints events. */
enum progress_mode { PROGRESS_AUTO, PROGRESS_QUIET, PROGRESS_STDOUT, PROGRESS_JSON };

/* Returns NULL where MODE is quiet or memory is short; both mean silence. */
struct progress *progress_new(enum progress_mode mode);
void progress_free(struct progress **p);

/* Where a process that shows nothing itself passes on what is shown. */
struct progress_sink {
	void (*stage)(const char *stage, void *context);
	void (*update)(const uint64_t counts[static 4], void *context); /* of progress_update() */
	void (*note)(const char *line, void *context);
	void *context;
};

/* SINK stays the caller's. NULL if memory is short. */
struct progress *progress_new_relay(const struct progress_sink *sink);

/* Passes on the last update, which may have come too soon after the one before. */
void progress_flush(struct progress *p);

/* Starts a stage, "Downloading packages"; the one before it ends. */
void progress_stage(struct progress *p, const char *stage);

/* ITEMS are packages, BYTES what was moved; a total of 0 is unknown. The rate and the time left are
 * derived here. Cheap enough to be called for every block. */
void progress_update(struct progress *p, uint64_t items, uint64_t items_total, uint64_t bytes,
		     uint64_t bytes_total);

/* What the line says behind the stage's name, in place of what progress_update() has it say. */
void progress_status(struct progress *p, const char *text);

/* One line of its own, above the progress line. */
void progress_note(struct progress *p, const char *format, ...) PRINTF_LIKE(2, 3);

/* With --json an event of another kind; nothing else. Takes FIELDS. */
void progress_event(const struct progress *p, const char *event, json_t *fields);

/* Ends the last stage and leaves the cursor on a fresh line. */
void progress_end(struct progress *p);
