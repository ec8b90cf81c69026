/* The protocol between the front end and its fetch process: records of a fixed layout, one per
 * packet, whose length depends on the kind. The front end trusts nothing that it receives:
 * fetch_message_receive() checks the layout, and its caller checks the contents. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend/archive/package_words.h"
#include "frontend/archive/pockets.h"
#include "lib/error.h"
#include "proto/channel.h"
#include "proto/validate.h"

#define FETCH_HOST_SIZE 256
#define FETCH_ADDRESSES_MAX 16
#define FETCH_LABEL_SIZE 128
#define FETCH_WORD_SIZE 1024
#define FETCH_TEXT_SIZE 3072 /* a message fits in an atomic pipe write: PIPE_BUF */
#define FETCH_WORD (SUITE_MAX + 1)
#define SIGNED_FILE_MAX ((size_t)64 << 20) /* of a FETCH_FILE */
#define FETCH_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum fetch_kind {
	/* Sent by the front end; each but FETCH_WANT and FETCH_ADDRESSES ends with a FETCH_RESULT.
	 */
	FETCH_RELEASES = 1, /* download InRelease files: FETCH_RELEASE for each */
	FETCH_ACCEPT,	    /* the helper has verified ours, or the attached file: FETCH_FACTS */
	FETCH_WANT,	    /* a package for the next FETCH_CHOOSE */
	FETCH_DEB,	    /* the attached file is the user's own package, for FETCH_CHOOSE */
	FETCH_CHOOSE,	 /* FETCH_INDEX, FETCH_LEFT_OUT, FETCH_PACKAGE and FETCH_REMOVED for each */
	FETCH_DOWNLOAD,	 /* all chosen packages: FETCH_ARRIVED for each */
	FETCH_UNPACK,	 /* the files of one package into the tree directory */
	FETCH_FILE,	 /* a file that the main pocket's release file lists, into the cache */
	FETCH_PROGRAMS,	 /* makes the list of the release's programs: fetch_programs.h */
	FETCH_ATTACHED,	 /* the attached file, for a process that has one task: decompress.h */
	FETCH_ADDRESSES, /* the reply to FETCH_RESOLVE */
	/* Sent by the fetch process. */
	FETCH_RESULT,
	FETCH_STAGE, /* these three as in progress.h */
	FETCH_UPDATE,
	FETCH_NOTE,
	FETCH_RESOLVE, /* asks for the addresses of a host */
	FETCH_RELEASE, /* carries the file as a sealed descriptor unless it is missing */
	FETCH_FACTS,
	FETCH_INDEX,
	FETCH_LEFT_OUT,
	FETCH_PACKAGE,
	FETCH_REMOVED,
	FETCH_ARRIVED,
	FETCH_LAST = FETCH_ARRIVED,
};

#define FETCH_LOCAL FETCH_POCKETS /* "pocket" of the user's own packages */

/* What a FETCH_WANT is about: a list of struct wanted. */
enum fetch_want { WANT_PACKAGE, WANT_OPTIONAL, WANT_REMOVED, WANT_KEPT, WANT_KINDS };

struct fetch_message {
	uint32_t kind;
	union {
		struct {
			uint32_t pockets; /* one bit for each of fetch_pockets */
		} releases;
		struct {
			uint32_t pocket;
		} accept;
		struct {
			uint32_t list; /* enum fetch_want */
			char word[FETCH_WORD_SIZE];
		} want;
		struct {
			uint32_t base; /* enum package_base; a rootfs's status file is attached */
			uint32_t pockets; /* one bit for each of fetch_pockets to choose from */
		} choose;
		struct {
			char path[FETCH_LABEL_SIZE];
		} file;
		struct {
			uint8_t key[SHA256_LEN];
		} programs;
		struct {
			uint32_t package; /* its number, in the order sent */
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
			uint32_t pocket, missing, url; /* URL: index of the mirror that had it */
		} release;
		struct {
			char date[FETCH_LABEL_SIZE], origin[FETCH_LABEL_SIZE];
			uint32_t generation; /* 0: not of a published rootfs */
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
			uint32_t pocket;
			uint8_t sha256[SHA256_LEN];
			char name[PACKAGE_NAME_MAX + 1], version[VERSION_MAX + 1], arch[FETCH_WORD];
			char source[PACKAGE_NAME_MAX + 1], source_version[VERSION_MAX + 1];
		} package;
		struct {
			char name[PACKAGE_NAME_MAX + 1];
		} removed;
	};
};

/* If FAILED, sets the error of a FETCH_RESULT from ERROR; NULL if there was no memory for one. */
void fetch_message_set_error(struct fetch_message *result, bool failed, const struct error *error);

/* Whether FD is a memory file of at most MOST bytes that can no longer change. */
bool fetch_is_sealed(int fd, size_t most);

/* Reads all SIZE bytes of a sealed file, and adds a null byte. The caller frees them; NULL with ERR
 * set. */
char *fetch_read_sealed(int fd, size_t *size, struct error **err);

/* Writes DATA to a sealed memory file NAME, and returns its descriptor, at its end. -1 with ERR
 * set. */
int fetch_write_sealed(const char *name, const void *data, size_t size, struct error **err);

/* Sends FD (-1: none) with the message; the caller still closes it. Returns 0, or -1 with ERR set:
 * ERR_INTERRUPTED if the peer has gone. */
int fetch_message_send(int channel, const struct fetch_message *message, int fd,
		       struct error **err);

/* Returns 1, 0 if the peer has gone, -1 with ERR set: ERR_INPUT if the message is malformed. Its
 * texts are NUL-terminated and clean (text_clean). *FD is -1 or the caller's to close. */
int fetch_message_receive(int channel, struct fetch_message *message, int *fd, struct error **err);
