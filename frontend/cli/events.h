/* The output of --json. A long command prints a stream of JSON objects, one per line, each with an
 * "event": progress, log or output, and finally one result. Other commands print one document. The
 * schemas are in frontend/schemas. */
#pragma once

#include <jansson.h>

#include "frontend/cli/report.h"

/* Any bytes as a JSON string, or null for NULL. Bytes that are not UTF-8 become '?'. */
json_t *json_text(const char *s);

/* A NULL-terminated list of words as an array; empty for NULL. */
json_t *json_words(char *const *words);

/* Applies text_clean_lines() to every string in JSON, which was read from a file. */
void json_clean(json_t *json);

/* An error as the "error" of a result. */
json_t *json_error(const struct error *err);

/* Prints one line of a stream. Takes ownership of FIELDS. */
void event_print(const char *event, json_t *fields);

/* Prints the last line: FIELDS (of which it takes ownership) and STATUS. Returns STATUS. */
int event_result(json_t *fields, int status);

/* The same for a failure; adds the error. */
int event_failure(json_t *fields, const struct error *err, int status);

/* The output of another program on one of its streams. Complete lines become events at once, the
 * rest when it is flushed or gets too long. */
struct output_events {
	const char *stream; /* "stdout" or "stderr" */
	char text[4096 + 1];
	size_t length;
};

void output_events_take(struct output_events *o, const char *data, size_t size);
void output_events_flush(struct output_events *o);

/* DOCUMENT on one line. The caller frees it; NULL if out of memory. */
char *document_text(const json_t *document);

/* Prints DOCUMENT on one line. Takes ownership of it. */
void document_print(json_t *document);

/* Prints the document for a failure. Returns STATUS. */
int document_failure(const struct error *err, int status);
