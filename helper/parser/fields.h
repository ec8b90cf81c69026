/* The fields of requests, as proto/requests.h lists them: the parser fills them in, the jailer
 * checks and records them. */
#pragma once

#include "proto/task.h"

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG, FIELD_HASH, FIELD_WORDS, FIELD_COMMAND };

/* One field of a request, in its message of rootlet.proto and in struct task. */
struct field {
	enum field_kind kind;
	const char *name, *label; /* in rootlet.proto; in a refusal */
	size_t offset, size;	  /* in struct task */
	bool octal;		  /* how the audit log shows a number */
	uint32_t least, most;	  /* words */
	union {
		bool (*valid_text)(const char *text);
		bool (*valid_number)(uint32_t number);
	};
};

/* The fields of OPERATION, terminated by one without a name. An unknown operation has those of
 * OP_NONE. */
const struct field *task_fields(uint32_t operation);

/* Checks that every field of TASK is well-formed. Returns 0, or -1 with ERR_INPUT that names the
 * field. */
int task_check(const struct task *task, struct error **err);

/* Describes in one line what TASK asks for, for the audit log: "name=x suite=jammy", after
 * `folders`, which is empty or ends with a blank. Fields may be malformed; text that does not fit
 * is cut off and ends in "...". */
void task_describe(const struct task *task, const char *dirs, char *into, size_t size);
