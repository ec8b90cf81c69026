/* One file being downloaded: an attempt by libcurl, and how its end is handled. Used only by
 * downloader.c. */
#pragma once

#include <curl/curl.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/download.h"
#include "frontend/archive/download_route.h"

enum transfer_state { STATE_WAITING, STATE_HELD, STATE_RUNNING, STATE_DONE };

struct transfer {
	struct download *job;
	enum transfer_state state;
	bool told; /* the watch has been called */
	CURL *easy;
	struct curl_slist *resolve; /* used by EASY */
	char *redirect;		    /* where the URL was redirected; NULL: not redirected */
	unsigned redirects;	    /* consecutive ones */
	struct cache_draft draft;
	uint64_t at;	/* bytes downloaded so far */
	uint64_t began; /* of these, before this attempt */
	bool whole;	/* contains no part from an earlier attempt */
	bool oversize;
	unsigned attempts;
	int64_t not_before; /* milliseconds */
	struct error *err;  /* from the write callback, which cannot return it */
	char message[CURL_ERROR_SIZE];
};

struct downloader {
	CURLM *multi;
	struct curl_slist *fresh; /* headers for files without a known hash */
	struct download_routes *routes;
	int hangup;
};

struct download_batch {
	struct downloader *with;
	struct transfer *list;
	size_t count, running, done;
	int64_t moved; /* milliseconds: last progress of other processes on held files */
	const char *dir;
	const struct download_watch *watch;
};

/* Each returns 0, or -1 with ERR set if the download failed for good, which ends the batch. */

/* Starts an attempt. An unknown host may be temporary: the transfer then waits for a retry. */
int transfer_start(struct download_batch *b, struct transfer *t, struct error **err);

/* Handles the end of an attempt with CODE: the file is complete, is retried, or has failed. */
int transfer_ended(struct download_batch *b, struct transfer *t, CURLcode code, struct error **err);

/* The server has sent everything: adds the file to the cache if its hash is right. */
int transfer_complete(struct download_batch *b, struct transfer *t, struct error **err);

/* Discards the data downloaded so far. */
int transfer_start_over(struct transfer *t, struct error **err);

/* Marks the transfer as done. */
void transfer_finish(struct download_batch *b, struct transfer *t);

/* Aborts the attempt, if there is one. */
void transfer_stop(struct download_batch *b, struct transfer *t);

/* The next attempt starts at the job's own URL again. */
void transfer_forget_redirects(struct transfer *t);
