/* What passes between the helper's processes: records of fixed size, so that nothing after the
 * parser has to unpack anything. A task goes parser → jailer (→ worker). Notes come back, the last
 * of which is a result. No record is trusted further than task_check() has checked it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/channel.h"
#include "proto/requests.h"
#include "proto/words.h"

#define OPERATION(NAME, ...) OP_##NAME,
enum operation {
	OP_NONE, /* not a request; that is recorded as well */
	REQUESTS(OPERATION) OP_COUNT,
};
#undef OPERATION

#define WORD_SIZE (SUITE_MAX + 1)
#define ACCOUNT_SIZE (ACCOUNT_NAME_MAX + 1)

/* The message of each request, with its fields as requests.h lists them. A flag is a byte, because
 * a parser that was taken over could send a bool that is neither true nor false. */
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
	char why[64]; /* OP_NONE: what is wrong with the request */
	union {
		REQUESTS(MESSAGE)
	};
};
#undef MESSAGE
#undef MEMBER
