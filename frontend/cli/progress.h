/* The progress of a long command. On a terminal it is one line that is rewritten; elsewhere, a line
 * per stage and one now and then; nothing if quiet. NULL is allowed everywhere, and prints nothing.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/error.h"

struct progress;

/* AUTO prints on standard error, and leaves standard output to the command; STDOUT is for commands
 * that print nothing else; JSON prints events. */
enum progress_mode { PROGRESS_AUTO, PROGRESS_QUIET, PROGRESS_STDOUT, PROGRESS_JSON };

/* Returns NULL if MODE is quiet, or if out of memory; both mean silence. */
struct progress *progress_new(enum progress_mode mode);
void progress_free(struct progress **p);

/* The backend of a process that passes its progress on instead of printing it. */
struct progress_sink {
	void (*stage)(const char *stage, void *context);
	void (*update)(const uint64_t counts[static 4], void *context); /* of progress_update() */
	void (*note)(const char *line, void *context);
	void *context;
};

/* The backend stays the caller's. NULL if out of memory. */
struct progress *progress_new_relay(const struct progress_sink *sink);

/* Sends the last update, which may have been held back by the rate limit. */
void progress_flush(struct progress *p);

/* Starts a stage, such as "Downloading packages", and ends the previous one. */
void progress_stage(struct progress *p, const char *stage);

/* ITEMS are packages, BYTES those transferred. A total of 0 is unknown. Derives the rate and the
 * time left. Cheap enough to call for every block. */
void progress_update(struct progress *p, uint64_t items, uint64_t items_total, uint64_t bytes,
		     uint64_t bytes_total);

/* Text to show after the stage's name, instead of the numbers of progress_update(). */
void progress_status(struct progress *p, const char *text);

/* Prints a line of its own, above the progress line. */
void progress_note(struct progress *p, const char *format, ...) PRINTF_LIKE(2, 3);

/* Prints an error that does not end the command. */
void progress_note_error(struct progress *p, const struct error *err);

/* Prints another kind of event with --json, else nothing. Takes ownership of FIELDS. */
void progress_event(const struct progress *p, const char *event, json_t *fields);

/* Ends the last stage, and leaves the cursor on a new line. */
void progress_end(struct progress *p);
