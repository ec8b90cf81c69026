/* The fields of requests, as proto/requests.h lists them: how the parser fills them in, and what
 * the jailer checks and records. */
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

/* The fields of OPERATION, which end with one that has no name; those of OP_NONE for a number that
 * is no operation. */
const struct field *task_fields(uint32_t operation);

/* Every field of TASK has its shape. Returns 0 or -1 with ERR_INPUT that names the field. */
int task_check(const struct task *task, struct error **err);

/* What TASK asks for in one line, for the audit log: "name=x suite=jammy", after FOLDERS, which is
 * empty or ends with a blank. Its fields may be of any shape; what has no room ends in "...". */
void task_describe(const struct task *task, const char *folders, char *into, size_t size);
