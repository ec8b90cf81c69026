/* What passes between the helper's processes: fixed-size records, so that nothing after the parser
 * has to unpack anything. A task goes parser → jailer (→ builder), notes come back; the last one is
 * a result. A record is trusted no further than task_check() says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helper/filter.h"
#include "proto/channel.h"
#include "proto/validate.h"

enum operation {
	OP_NONE, /* what is no request at all: it is on the record as well */
	OP_HELLO = 1,
	OP_BEGIN,
	OP_RELEASE,
	OP_INDEX,
	OP_PACKAGE,
	OP_BOOTSTRAP,
	OP_ADD_GROUP,
	OP_ADD_USER,
	OP_PUBLISH,
	OP_INSPECT,
	OP_REMOVE,
	OP_EXECUTE,
	OP_OPEN_NAMESPACE,
	OP_CLONE,
	OP_KEEP,
	OP_VERIFY,
	OP_BUILD_IMAGE,
	OP_OPEN,
	OP_READ,
	OP_FIND,
	OP_CHECK_RELEASE,
	OP_LAST = OP_CHECK_RELEASE,
};

#define WORD_SIZE (SUITE_MAX + 1)
#define ACCOUNT_SIZE (ACCOUNT_NAME_MAX + 1)
#define INNER_PATH_SIZE 256

struct task {
	uint32_t operation;
	/* Yes or no is a byte: of a bool, a parser that is taken over could send no value at all.
	 */
	union {
		struct {
			char why[64];
		} none;
		struct {
			uint32_t version;
		} hello;
		struct {
			char name[ROOTFS_NAME_MAX + 1], suite[WORD_SIZE], arch[WORD_SIZE];
			char engine[WORD_SIZE];
			struct filters filters;
		} begin;
		struct {
			char pocket[WORD_SIZE], mirror[MIRROR_MAX + 1];
			uint8_t older;
			char suite[WORD_SIZE]; /* of CheckRelease; Begin told that of Release */
		} release;
		struct {
			char pocket[WORD_SIZE], component[WORD_SIZE];
		} index;
		struct {
			char name[PACKAGE_NAME_MAX + 1];
			uint8_t sha256[SHA256_LEN];
		} package;
		struct {
			char name[ACCOUNT_SIZE];
			uint32_t gid;
		} group;
		struct {
			char name[ACCOUNT_SIZE], home[INNER_PATH_SIZE], shell[INNER_PATH_SIZE];
			uint32_t uid, gid, group_count;
			char groups[GROUPS_MAX][ACCOUNT_SIZE];
		} user;
		struct {
			uint8_t replace;
			uint32_t mode;
		} publish;
		struct {
			char name[ROOTFS_NAME_MAX + 1], base[ROOTFS_NAME_MAX + 1];
		} clone;
		struct {
			char name[ROOTFS_NAME_MAX + 1];
		} keep;
		struct {
			uint8_t deep, digest;
		} inspect;
		struct {
			char name[ROOTFS_NAME_MAX + 1];
			uint8_t stale;
		} remove;
		struct {
			char format[WORD_SIZE];
		} image;
		struct {
			char file[WORD_SIZE];
		} read;
		struct {
			uint32_t count;
			char paths[FIND_MAX][INNER_PATH_SIZE];
		} find;
		struct {
			char user[ACCOUNT_SIZE];
			uint8_t terminal;
			uint32_t argc, bytes; /* words, each with its NUL, one after the other */
			char words[ARGV_BYTES_MAX];
		} execute;
	};
};

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
			int64_t date; /* of the builder's: seconds since 1970 */
			char origin[WORD_SIZE];
		} release;
		struct {
			uint64_t bytes, files, fingerprint;
			uint32_t foreign;
			uint8_t digested, digest[SHA256_LEN];
		} inspection;
	};
	char text[NOTE_TEXT_SIZE]; /* message, line, stage, mode or kinds, by kind */
};

/* Every field of TASK has its shape. Returns 0 or -1 with ERR_INPUT that names the field. */
int task_check(const struct task *task, struct error **err);

/* What TASK asks for in one line, for the record: "name=x suite=jammy", after FOLDERS, which is
 * empty or ends with a blank. Its fields may be of any shape; what has no room ends in "...". */
void task_describe(const struct task *task, const char *folders, char *into, size_t size);

/* Sends NOTE with at most one descriptor (FD, or -1, stays the caller's). Returns 0 or -1. */
int note_send(int channel, const struct note *note, int fd);

/* The helpers for the four common notes. A failure to send shows in the next receive. */
void note_progress(int channel, const char *stage, uint64_t done, uint64_t total);
void note_result(int channel, const struct error *error, int status);

/* Puts ERROR into a result; NULL: there was no memory for one. */
void note_set_error(struct note *note, const struct error *error);

/* What a result tells, whoever sent it: 0, or -1 with ERR set. */
int note_error(struct note *note, struct error **err);
