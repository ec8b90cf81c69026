/* The front end's side of the fetch process: sends requests, and validates all that comes back. */
#pragma once

#include <stdbool.h>

#include "frontend/archive/fetch_message.h"
#include "frontend/archive/fetch_process.h"
#include "frontend/archive/package_set.h"
#include "frontend/archive/resolve.h"
#include "frontend/archive/source.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"

struct fetch {
	struct origin *origin;
	struct package_set *set;
	struct fetch_process process;
	struct fetch_sandbox sandbox;
	struct helper *helper;
	char *indexes, *packages, *kept;   /* directories of the cache */
	char *local[SANDBOX_READABLE_MAX]; /* of mirrors that are local directories */
	struct progress *progress;
	bool allow_older, for_rootfs;
	char *forgetful; /* why release files are not remembered; NULL: they are */

	/* State of the current request. */
	bool answered; /* its result has arrived */
	const struct wanted *wanted;
	struct pocket *numbered[FETCH_POCKETS]; /* by number in messages; NULL: not accepted */
	struct arrived_release {
		bool asked, here;
		uint32_t url;
		int fd; /* -1: the mirror does not have it */
	} releases[FETCH_POCKETS];
	struct fetch_message facts;
	int (*done)(const struct package *package, void *context, struct error **err);
	void *context;
};

/* Sets ERR_SYSTEM: the process sent an invalid WHAT. */
int fetch_nonsense(const char *what, struct error **err);

/* Sends REQUEST and serves the process up to its result. Returns 0, or -1 with ERR set. Stops a
 * process that sends no result. */
int fetch_ask(struct fetch *f, const struct fetch_message *request, struct error **err);

/* The same with a descriptor, which the caller still closes. */
int fetch_ask_with(struct fetch *f, const struct fetch_message *request, int fd,
		   struct error **err);
