/* What passes between the front end and its fetch process: records of a fixed layout, one to a
 * packet. Each is as long as its kind says. The front end believes nothing of what it receives:
 * fetch_message_receive() checks shapes, and whoever takes a record what it says. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/channel.h"
#include "proto/validate.h"

#define FETCH_POCKETS 3
extern const char *const fetch_pockets[FETCH_POCKETS]; /* "", "updates", "security" */

#define FETCH_HOST_SIZE 256
#define FETCH_ADDRESSES_MAX 16
#define FETCH_LABEL_SIZE 128
#define FETCH_WORD_SIZE 1024
#define FETCH_TEXT_SIZE 3072 /* a message fits into a pipe at once: PIPE_BUF */
#define FETCH_WORD (SUITE_MAX + 1)
#define FETCH_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum fetch_kind {
	/* Asked by the front end; each but FETCH_WANT and FETCH_ADDRESSES ends with a FETCH_RESULT.
	 */
	FETCH_RELEASES = 1, /* download InRelease files: FETCH_RELEASE for each */
	FETCH_ACCEPT,	  /* the helper has verified this one, or what comes with it: FETCH_FACTS */
	FETCH_WANT,	  /* a package for the next FETCH_CHOOSE */
	FETCH_CHOOSE,	  /* FETCH_INDEX, FETCH_LEFT_OUT and FETCH_PACKAGE for each */
	FETCH_DOWNLOAD,	  /* all chosen packages: FETCH_ARRIVED for each */
	FETCH_UNPACK,	  /* the files of one package into the directory for that */
	FETCH_DECOMPRESS, /* the file that comes with it: decompress.h */
	FETCH_ADDRESSES,  /* the answer to FETCH_RESOLVE */
	/* Sent by the fetch process. */
	FETCH_RESULT,
	FETCH_STAGE, /* these three as progress.h has them */
	FETCH_UPDATE,
	FETCH_NOTE,
	FETCH_RESOLVE, /* where is this host? */
	FETCH_RELEASE, /* carries the file as a sealed descriptor unless it is missing */
	FETCH_FACTS,
	FETCH_INDEX,
	FETCH_LEFT_OUT,
	FETCH_PACKAGE,
	FETCH_ARRIVED,
	FETCH_LAST = FETCH_ARRIVED,
};

struct fetch_message {
	uint32_t kind;
	union {
		struct {
			uint32_t pockets; /* a bit for each of fetch_pockets */
		} releases;
		struct {
			uint32_t pocket;
		} accept;
		struct {
			uint32_t optional;
			char word[FETCH_WORD_SIZE];
		} want;
		struct {
			uint32_t base; /* enum package_base */
		} choose;
		struct {
			uint32_t package; /* its number, as they were told */
		} package_number;
		struct {
			uint32_t code, count; /* enum error_code */
			char list[FETCH_ADDRESSES_MAX][INET6_ADDRSTRLEN];
			char why[FETCH_LABEL_SIZE];
		} addresses;
		struct {
			uint32_t code;
			int32_t number;
			char text[FETCH_TEXT_SIZE];
		} result;
		struct {
			char text[FETCH_TEXT_SIZE];
		} note;
		struct {
			char text[FETCH_LABEL_SIZE];
		} stage;
		struct {
			uint64_t items, items_total, bytes, bytes_total;
		} update;
		struct {
			uint32_t port;
			char host[FETCH_HOST_SIZE];
		} resolve;
		struct {
			uint32_t pocket, missing, url; /* which of a pocket's mirrors had it */
		} release;
		struct {
			char date[FETCH_LABEL_SIZE], origin[FETCH_LABEL_SIZE];
		} facts;
		struct {
			uint32_t pocket;
			uint8_t sha256[SHA256_LEN];
			char component[FETCH_WORD];
		} index;
		struct {
			char word[FETCH_WORD_SIZE];
		} left_out;
		struct {
			uint64_t size;
			uint8_t sha256[SHA256_LEN];
			char name[PACKAGE_NAME_MAX + 1], version[VERSION_MAX + 1], arch[FETCH_WORD];
		} package;
	};
};

/* Puts the reason into a FETCH_RESULT if something FAILED; ERROR NULL: there was no memory for one.
 */
void fetch_message_set_error(struct fetch_message *result, bool failed, const struct error *error);

/* FD is a file in memory of at most MOST bytes that nobody can change any more. */
bool fetch_is_sealed(int fd, size_t most);

/* FD (or -1) goes with it and stays the caller's. Returns 0, or -1 with ERR set: ERR_INTERRUPTED if
 * the other side is gone. */
int fetch_message_send(int channel, const struct fetch_message *message, int fd,
		       struct error **err);

/* Returns 1, 0 if the other side is gone, -1 with ERR set: ERR_INPUT if it is no message. Its texts
 * then end within their room and are clean (text_clean). *FD is -1 or the caller's. */
int fetch_message_receive(int channel, struct fetch_message *message, int *fd, struct error **err);
