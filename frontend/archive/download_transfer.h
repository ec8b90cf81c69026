/* One file on its way: an attempt by libcurl, and what becomes of its end. For downloader.c alone.
 */
#pragma once

#include <curl/curl.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/download.h"
#include "frontend/archive/download_route.h"

enum transfer_state { STATE_WAITING, STATE_HELD, STATE_RUNNING, STATE_DONE };

struct transfer {
	struct download *job;
	enum transfer_state state;
	bool told; /* to whoever watches */
	CURL *easy;
	struct curl_slist *resolve; /* EASY's */
	char *redirect;		    /* where the URL led; NULL: nowhere else */
	unsigned redirects;	    /* in a row */
	struct cache_draft draft;
	uint64_t at;	/* bytes that are there */
	uint64_t began; /* of these, before this attempt */
	bool whole;	/* no part of it is left from an earlier attempt */
	bool oversize;
	unsigned attempts;
	int64_t not_before; /* milliseconds */
	struct error *err;  /* what the write callback could not return */
	char message[CURL_ERROR_SIZE];
};

struct downloader {
	CURLM *multi;
	struct curl_slist *fresh; /* headers of what is not known by hash */
	struct download_routes *routes;
	int hangup;
};

struct download_batch {
	struct downloader *with;
	struct transfer *list;
	size_t count, running, done;
	int64_t moved; /* milliseconds: when others last brought something of what is held */
	const char *folder;
	const struct download_watch *watch;
};

/* Each returns 0, or -1 with ERR set if the file cannot be had, which ends the batch. */

/* Begins an attempt. An unknown host may be known later: then it waits. */
int transfer_start(struct download_batch *b, struct transfer *t, struct error **err);

/* The attempt has ended with CODE: the file is there, another attempt is to follow, or none. */
int transfer_ended(struct download_batch *b, struct transfer *t, CURLcode code, struct error **err);

/* All that the server wanted to send is there: what has the right hash goes into the cache. */
int transfer_complete(struct download_batch *b, struct transfer *t, struct error **err);

/* Forgets what is there. */
int transfer_start_over(struct transfer *t, struct error **err);

/* It is there, and counts as such. */
void transfer_finish(struct download_batch *b, struct transfer *t);

/* Ends the attempt, if there is one. */
void transfer_stop(struct download_batch *b, struct transfer *t);

/* From the job's own URL again. */
void transfer_forget_redirects(struct transfer *t);
