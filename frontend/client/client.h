/* The front end's side of the channel: starts rootlet-helper, sends it requests, reads its answers.
 * The helper gets an empty environment, /dev/null for standard input and output, and the channel as
 * descriptor 3. It leads a session of its own, so a Ctrl-C on the terminal reaches only us. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/cli/progress.h"
#include "lib/error.h"
#include "proto/validate.h"
#include "rootlet.pb-c.h"

struct helper;

/* What the Result and what came before it carried. FD (-1 if none) then belongs to the caller. */
struct answer {
	int status;
	int fd;
	uint64_t bytes, files, fingerprint;
	uint32_t foreign;
	bool digested; /* DIGEST was told */
	uint8_t digest[SHA256_LEN];
	char found[FIND_MAX + 1]; /* of Find: a letter for each path */
};

/* Where the rootfs's ids 0 to COUNT - 1 are on the host. MODE is "user", "installed" or "root". */
struct host_ids {
	char mode[16];
	uint32_t first_uid, first_gid, count;
};

/* Starts a helper and says Hello. PURPOSE is the command's name. PROGRESS stays the caller's, must
 * outlive the helper, and may be NULL. */
int helper_start(const char *purpose, struct progress *progress, struct helper **out,
		 struct error **err);

const struct host_ids *helper_ids(const struct helper *h);

/* Sends REQUEST with FDS (which stay the caller's) and reads replies until the Result. Log lines go
 * to the function of helper_set_log, else to progress_note; Progress goes to the progress display.
 * ANSWER may be NULL. ERR_INTERRUPTED where interrupt_caught() became true meanwhile: then only
 * helper_stop() makes sense. */
int helper_call(struct helper *h, const Rootlet__Request *request, const int *fds, size_t fd_count,
		struct answer *answer, struct error **err);

void helper_set_log(struct helper *h, void (*log)(const char *line, void *context), void *context);

/* As helper_call, in halves, for who has other descriptors to serve meanwhile: send, poll
 * helper_channel() for POLLIN, and read one reply each time. helper_receive returns 1 for the
 * Result, 0 for anything before it, -1 with ERR set. */
int helper_send(struct helper *h, const Rootlet__Request *request, const int *fds, size_t fd_count,
		struct error **err);
int helper_channel(const struct helper *h);
int helper_receive(struct helper *h, struct answer *answer, struct error **err);

/* The level-1 user namespace, as a descriptor that belongs to the caller. */
int helper_open_namespace(struct helper *h, int *userns, struct error **err);

/* Closes the channel and waits for the helper to have cleaned up and left. */
void helper_stop(struct helper **h);

/* rootlet-helper has capabilities from its file: sub-id ranges and newuidmap are not needed. */
bool helper_is_installed(void);
