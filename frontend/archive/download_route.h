/* Tells libcurl how each URL is reached, as it can look up no name itself. */
#pragma once

#include <curl/curl.h>
#include <stdint.h>

#include "frontend/archive/fetch_message.h"
#include "lib/error.h"

struct download_routes;

/* Fills ANSWER, a FETCH_ADDRESSES. Returns 0, or -1 with ERR set. */
typedef int download_ask(const char *host, uint16_t port, struct fetch_message *answer,
			 void *context, struct error **err);

/* NULL if memory is short. */
struct download_routes *download_routes_new(download_ask *ask, void *context);
void download_routes_free(struct download_routes **routes);

/* Sets the options of EASY for URL, any but file://. *RESOLVE, a list of EASY's, is the caller's to
 * free after EASY. Returns 0, 1 if a host is unknown, which may pass, with the reason in WHY, or -1
 * with ERR set. */
int download_route_set(struct download_routes *routes, CURL *easy, const char *url,
		       struct curl_slist **resolve, char why[static CURL_ERROR_SIZE],
		       struct error **err);
