/* What --json prints. A long command prints a stream: one JSON object a line, each with "event":
 * progress, log or output, and at its end one result. Any other command prints one document. The
 * schemas are in frontend/schemas. */
#pragma once

#include <jansson.h>

#include "frontend/cli/report.h"

/* Any bytes as a JSON string; null for NULL. What is not UTF-8 becomes '?'. */
json_t *json_text(const char *s);

/* Makes every string in JSON, which was read from a file, fit to be shown: text_clean_lines(). */
void json_clean(json_t *json);

/* One line of a stream. Takes FIELDS. */
void event_print(const char *event, json_t *fields);

/* The last line: FIELDS (taken) and the exit status, which is returned. */
int event_result(json_t *fields, int status);

/* The same for a failure, with the error that STATUS comes from. */
int event_failure(json_t *fields, const struct error *err, int status);

/* What another program says on one of its streams: whole lines become events as they come, and the
 * rest when it is flushed or too long. */
struct output_events {
	const char *stream; /* "stdout" or "stderr" */
	char text[4096 + 1];
	size_t length;
};

void output_events_take(struct output_events *o, const char *data, size_t size);
void output_events_flush(struct output_events *o);

/* A document on a line of its own. Takes it. */
void document_print(json_t *document);

/* The document of a failure; returns STATUS. */
int document_failure(const struct error *err, int status);
