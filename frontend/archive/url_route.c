#include "frontend/archive/url_route.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROXY_PORT 1080 /* curl's default for proxies other than https:// */

bool url_host_is_address(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

bool url_host_is_valid(const char *host)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_.";

	return url_host_is_address(host) ||
	       (host[0] && host[0] != '-' && host[strspn(host, plain)] == '\0' &&
		strlen(host) < FETCH_HOST_SIZE);
}

static void curl_stringp(char **text)
{
	curl_free(*text);
}

static void curl_urlp(CURLU **url)
{
	curl_url_cleanup(*url);
}

#define _cleanup_curl_ _cleanup_(curl_stringp)

/* Removes the brackets of "[::1]" and the trailing dot of a name. */
static bool url_take_host(const char *from, char to[static FETCH_HOST_SIZE])
{
	size_t length = strlen(from);

	if (from[0] == '[' && length > 2) {
		from++;
		length -= 2;
	}
	if (length && from[length - 1] == '.')
		length--;
	if (length == 0 || length >= FETCH_HOST_SIZE)
		return false;
	memcpy(to, from, length);
	to[length] = '\0';
	for (char *c = to; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return url_host_is_valid(to);
}

/* FLAGS are those of curl_url_set(). DEFAULT_PORT applies if the URL has no port; 0: curl's own. */
static bool read_place(const char *text, unsigned flags, uint16_t default_port,
		       struct url_place *place)
{
	_cleanup_(curl_urlp) CURLU *url = curl_url();
	_cleanup_curl_ char *scheme = NULL, *host = NULL, *port = NULL;
	unsigned long number = default_port;

	if (!url || curl_url_set(url, CURLUPART_URL, text, flags) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    strlen(scheme) >= sizeof(place->scheme) ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    !url_take_host(host, place->host))
		return false;
	if (curl_url_get(url, CURLUPART_PORT, &port, default_port ? 0 : CURLU_DEFAULT_PORT) ==
	    CURLUE_OK)
		number = strtoul(port, NULL, 10);
	snprintf(place->scheme, sizeof(place->scheme), "%s", scheme);
	place->port = (uint16_t)number;
	return number > 0 && number <= UINT16_MAX;
}

bool url_place_read(const char *url, struct url_place *place)
{
	return read_place(url, 0, 0, place);
}

/* An empty variable counts as unset. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* HTTP_PROXY in capitals is not read: a web server sets it from a header that its client sends. */
static const char *proxy_of(const char *scheme)
{
	bool https = strcmp(scheme, "https") == 0;
	const char *proxy = variable(https ? "https_proxy" : "http_proxy");

	if (!proxy && https)
		proxy = variable("HTTPS_PROXY");
	if (!proxy)
		proxy = variable("all_proxy");
	return proxy ? proxy : variable("ALL_PROXY");
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned long bits)
{
	size_t whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* Whether HOST, an address, is in TOKEN: a network like "10.0.0.0/8", or an address. */
static bool is_in_network(const char *token, const char *host)
{
	static const struct {
		int family;
		unsigned long bits;
	} families[] = { { AF_INET, 32 }, { AF_INET6, 128 } };
	unsigned char network[sizeof(struct in6_addr)], address[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];
	const char *slash = strchr(token, '/');
	size_t length = slash ? (size_t)(slash - token) : strlen(token);

	if (length >= sizeof(text))
		return false;
	memcpy(text, token, length);
	text[length] = '\0';
	for (size_t i = 0; i < 2; i++) {
		char *end = NULL;
		unsigned long bits = slash ? strtoul(slash + 1, &end, 10) : families[i].bits;

		if (inet_pton(families[i].family, text, network) == 1 &&
		    inet_pton(families[i].family, host, address) == 1 && bits <= families[i].bits &&
		    (!slash || (end != slash + 1 && !*end)))
			return same_bits(network, address, bits);
	}
	return false;
}

static bool is_named(const char *token, const char *host)
{
	size_t length, whole = strlen(host);

	token += *token == '.';
	length = strlen(token);
	if (length && token[length - 1] == '.')
		length--;
	if (length == 0 || length > whole)
		return false;
	return strncasecmp(host + whole - length, token, length) == 0 &&
	       (length == whole || host[whole - length - 1] == '.');
}

bool url_is_exempt(const char *list, const char *host)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = NULL;

	if (strcmp(list, "*") == 0)
		return true;
	for (char *token = copy ? strtok_r(copy, ", \t", &rest) : NULL; token;
	     token = strtok_r(NULL, ", \t", &rest)) {
		size_t length = strlen(token);

		if (*token == '[' && token[length - 1] == ']') {
			token[length - 1] = '\0';
			token++;
		}
		if (url_host_is_address(host) ? is_in_network(token, host) : is_named(token, host))
			return true;
	}
	return false;
}

static bool has_scheme(const char *proxy, const char *scheme)
{
	size_t length = strlen(scheme);

	return strncasecmp(proxy, scheme, length) == 0 && strncmp(proxy + length, "://", 3) == 0;
}

int url_route_find(const char *url, struct url_route *route, struct error **err)
{
	const char *exempt = variable("no_proxy"), *proxy;
	_cleanup_free_ char *full = NULL;

	*route = (struct url_route){ .names_target = true };
	if (!url_place_read(url, &route->target) || (strcmp(route->target.scheme, "http") != 0 &&
						     strcmp(route->target.scheme, "https") != 0))
		return error_set(err, ERR_NETWORK, "malformed URL \"%.200s\"", url);
	proxy = proxy_of(route->target.scheme);
	exempt = exempt ? exempt : variable("NO_PROXY");
	if (!proxy || (exempt && url_is_exempt(exempt, route->target.host)))
		return 0;
	if (asprintf(&full, "%s%s", strstr(proxy, "://") ? "" : "http://", proxy) < 0)
		return error_no_memory(err);
	if (!read_place(full, CURLU_NON_SUPPORT_SCHEME,
			has_scheme(full, "https") ? 443 : PROXY_PORT, &route->proxy_place))
		return error_set(err, ERR_NETWORK,
				 "the proxy in the environment is malformed; check %s_proxy and "
				 "all_proxy",
				 route->target.scheme);
	/* These proxies get an address; others get the name. */
	route->names_target = has_scheme(full, "socks4") || has_scheme(full, "socks5");
	route->proxy = STEAL_PTR(full);
	return 0;
}
