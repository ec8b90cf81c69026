/* How an http or https URL is reached: which host and port is connected to, by which proxy of the
 * environment. As curl(1) reads http_proxy, https_proxy, all_proxy, no_proxy and their like. */
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
	char *proxy; /* URL, or NULL: none; the caller's to free */
	struct url_place proxy_place;
	bool names_target; /* the target's own name has to be looked up as well, or alone */
};

/* False if URL is malformed, or has a host or port that cannot be. */
bool url_place_read(const char *url, struct url_place *place);

/* ERR_NETWORK if URL, or the proxy that the environment names for it, is malformed. */
int url_route_find(const char *url, struct url_route *route, struct error **err);

/* Whether no_proxy's value LIST names HOST: "*", names, whose subdomains count as well, addresses,
 * and networks as in 10.0.0.0/8. */
bool url_is_exempt(const char *list, const char *host);

/* HOST is an IPv4 or IPv6 address. */
bool url_host_is_address(const char *host);

/* What may be looked up: a name of letters, digits, - _ and ., or an address. */
bool url_host_is_valid(const char *host);
