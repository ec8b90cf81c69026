/* The front end's side of the channel: starts rootlet-helper, sends requests and reads replies. The
 * helper gets an empty environment, /dev/null as standard input and output, and the channel as
 * descriptor 3. It leads its own session, so a Ctrl-C on the terminal reaches only the front end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/cli/progress.h"
#include "lib/error.h"
#include "proto/validate.h"
#include "rootlet.pb-c.h"

struct helper;

/* Data from the Result and the replies before it. The caller closes FD (-1 if none). */
struct answer {
	int status;
	int fd;
	uint64_t bytes, files, fingerprint;
	uint32_t foreign;
	bool digested; /* DIGEST is set */
	uint8_t digest[SHA256_LEN];
	char found[FIND_MAX + 1]; /* from Find: one letter per path */
};

/* Host ids of the rootfs's ids 0 to COUNT - 1. MODE is "user", "installed" or "root". */
struct host_ids {
	char mode[16];
	uint32_t first_uid, first_gid, count;
};

/* Starts a helper and sends Hello. PURPOSE is the command's name. PROGRESS remains the caller's,
 * must outlive the helper, and may be NULL. */
int helper_start(const char *purpose, struct progress *progress, struct helper **out,
		 struct error **err);

const struct host_ids *helper_ids(const struct helper *h);

/* Sends REQUEST with FDS (still the caller's to close) and reads replies up to the Result. Log
 * lines go to the function set by helper_set_log(), or else to progress_note(); Progress goes to
 * the progress display. ANSWER may be NULL. ERR_INTERRUPTED if interrupt_caught() became true; only
 * helper_stop() is useful after that. */
int helper_call(struct helper *h, const Rootlet__Request *request, const int *fds, size_t fd_count,
		struct answer *answer, struct error **err);

void helper_set_log(struct helper *h, void (*log)(const char *line, void *context), void *context);

/* helper_call() in two halves, for callers that poll other descriptors as well: send, poll
 * helper_channel() for POLLIN, and read one reply each time it is readable. helper_receive returns
 * 1 for the Result, 0 for a reply before it, -1 with ERR set. */
int helper_send(struct helper *h, const Rootlet__Request *request, const int *fds, size_t fd_count,
		struct error **err);
int helper_channel(const struct helper *h);
int helper_receive(struct helper *h, struct answer *answer, struct error **err);

/* Gets the outer user namespace; the caller closes the descriptor. */
int helper_open_namespace(struct helper *h, int *userns, struct error **err);

/* Closes the channel and waits for the helper to clean up and exit. */
void helper_stop(struct helper **h);

/* Whether rootlet-helper has file capabilities, and so needs no sub-id ranges and no newuidmap. */
bool helper_is_installed(void);
