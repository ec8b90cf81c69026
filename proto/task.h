/* What passes between the helper's processes: fixed-size records, so that nothing after the parser
 * has to unpack anything. A task goes parser → jailer (→ worker), notes come back; the last one is
 * a result. A record is trusted no further than task_check() says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/tree_facts.h"
#include "proto/words.h"
#include "proto/channel.h"
#include "proto/requests.h"

#define OPERATION(NAME, ...) OP_##NAME,
enum operation {
	OP_NONE, /* not a request at all: that is recorded as well */
	REQUESTS(OPERATION) OP_COUNT,
};
#undef OPERATION

#define WORD_SIZE (SUITE_MAX + 1)
#define ACCOUNT_SIZE (ACCOUNT_NAME_MAX + 1)

/* The message of each request: its fields as requests.h lists them. A yes or no is a byte, since a
 * parser that is taken over could send a bool that is neither. */
#define MEMBER_TEXT(name, size) char name[size];
#define MEMBER_NUMBER(name, size) uint32_t name;
#define MEMBER_MODE(name, size) uint32_t name;
#define MEMBER_FLAG(name, size) uint8_t name;
#define MEMBER_HASH(name, size) uint8_t name[SHA256_LEN];
#define MEMBER_WORDS(name, size) struct words name;
#define MEMBER_LIST(name, size) struct words name;
#define MEMBER_COMMAND(name, size) struct words name;
#define MEMBER(request, kind, name, size, ...) MEMBER_##kind(name, size)
#define MESSAGE(NAME, Name, name, ...)                                                             \
	struct {                                                                                   \
		NAME##_FIELDS(MEMBER)                                                              \
	} name;
struct task {
	uint32_t operation;
	char why[64]; /* OP_NONE: what is wrong with it */
	union {
		REQUESTS(MESSAGE)
	};
};
#undef MESSAGE
#undef MEMBER

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
	int32_t status; /* result of execute: exit status; of clone: enum clone_way */
	union {
		struct {
			uint64_t done, total;
		} progress;
		struct {
			uint32_t first_uid, first_gid, count;
		} ids;
		struct {
			int64_t date; /* of the verifier's: seconds since 1970 */
			char origin[WORD_SIZE];
		} release;
		struct {
			struct tree_census census;
			uint8_t digested; /* NOTE_INSPECTION: whether there is one */
			struct tree_digest digest;
		} tree;
	};
	char text[NOTE_TEXT_SIZE]; /* message, line, stage, mode or kinds, by kind */
};

/* Sends NOTE with at most one descriptor (FD, or -1, stays the caller's). Returns 0 or -1. */
int note_send(int channel, const struct note *note, int fd);

/* The helpers for the four common notes. A failure to send shows in the next receive. */
void note_progress(int channel, const char *stage, uint64_t done, uint64_t total);
void note_result(int channel, const struct error *error, int status);

/* Puts ERROR into a result; NULL: there was no memory for one. */
void note_set_error(struct note *note, const struct error *error);

/* What a result tells, whoever sent it: 0, or -1 with ERR set. */
int note_error(struct note *note, struct error **err);
