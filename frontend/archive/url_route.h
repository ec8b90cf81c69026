/* How to reach an http or https URL: which host and port to connect to, and through which proxy.
 * Reads http_proxy, https_proxy, all_proxy, no_proxy and so on as curl(1) does. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frontend/archive/fetch_message.h"
#include "lib/error.h"

struct url_place {
	char scheme[16];	    /* lower case */
	char host[FETCH_HOST_SIZE]; /* a name, or an address without brackets */
	uint16_t port;
};

struct url_route {
	struct url_place target;
	char *proxy; /* URL, which the caller frees; NULL: none */
	struct url_place proxy_place;
	bool names_target; /* the target's name must be looked up, too or alone */
};

/* False if URL is malformed, or its host or port is not valid. */
bool url_place_read(const char *url, struct url_place *place);

/* ERR_NETWORK if URL, or the proxy for it in the environment, is malformed. */
int url_route_find(const char *url, struct url_route *route, struct error **err);

/* Whether LIST, the value of no_proxy, matches HOST. LIST is "*", or contains names, which include
 * their subdomains, addresses, and networks like 10.0.0.0/8. */
bool url_is_exempt(const char *list, const char *host);

/* Whether HOST is an IPv4 or IPv6 address. */
bool url_host_is_address(const char *host);

/* Whether HOST may be looked up: a name of letters, digits, - _ and ., or an address. */
bool url_host_is_valid(const char *host);
