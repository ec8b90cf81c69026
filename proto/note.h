/* What a process of the helper sends to the one that gave it a task: progress, then a result. */
#pragma once

#include <stdbool.h>

#include "proto/task.h"
#include "proto/tree_facts.h"

enum note_kind {
	NOTE_HELLO = 1,
	NOTE_PROGRESS,
	NOTE_LOG,
	NOTE_INSPECTION,
	NOTE_RESULT,
	NOTE_FOUND,
};

#define NOTE_TEXT_SIZE 2048

struct note {
	uint32_t kind;
	uint32_t code;	/* result: enum error_code */
	int32_t number; /* result: errno */
	int32_t status; /* result of execute: exit status; of clone: enum clone_way; of release and
			 * check_release, from the verifier: enum release_verdict */
	union {
		struct {
			uint64_t done, total;
		} progress;
		struct {
			uint32_t first_uid, first_gid, count;
		} ids;
		struct {
			struct tree_census census;
			uint8_t digested; /* NOTE_INSPECTION: whether there is a digest */
			struct tree_digest digest;
		} tree;
	};
	char text[NOTE_TEXT_SIZE]; /* message, line, stage, mode or kinds, by kind */
};

/* Sends NOTE with at most one descriptor (FD or -1, which stays open). Returns 0 or -1. */
int note_send(int channel, const struct note *note, int fd);

/* Sends a result. If it cannot be sent, the next receive fails. */
void note_result(int channel, const struct error *error, int status);

/* Puts ERROR into a result. NULL: there was no memory for one. */
void note_set_error(struct note *note, const struct error *error);

/* The outcome in a result, whose sender is not trusted: 0, or -1 with ERR set. */
int note_error(struct note *note, struct error **err);
