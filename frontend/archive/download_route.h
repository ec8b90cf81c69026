/* Tells libcurl how to reach each URL, since it cannot resolve names itself. */
#pragma once

#include <curl/curl.h>
#include <stdint.h>

#include "frontend/archive/fetch_message.h"
#include "lib/error.h"

struct download_routes;

/* Fills ANSWER, a FETCH_ADDRESSES message. Returns 0, or -1 with ERR set. */
typedef int download_ask(const char *host, uint16_t port, struct fetch_message *answer,
			 void *context, struct error **err);

/* NULL if out of memory. */
struct download_routes *download_routes_new(download_ask *ask, void *context);
void download_routes_free(struct download_routes **routes);

/* Sets the options of EASY for URL, which must not be file://. EASY uses *RESOLVE, which the caller
 * frees after EASY. Returns 0, 1 with the reason in WHY if a host is unknown, which may be
 * temporary, or -1 with ERR set. */
int download_route_set(struct download_routes *routes, CURL *easy, const char *url,
		       struct curl_slist **resolve, char why[static CURL_ERROR_SIZE],
		       struct error **err);
