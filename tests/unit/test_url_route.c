/* frontend/archive/url_route.c: how URLs are reached, using proxies from the environment. */
#include "frontend/archive/url_route.h"

#include <stdlib.h>

#include "tap.h"

static void check_places(void)
{
	static const struct {
		const char *url, *host;
		unsigned port; /* 0: malformed */
	} rows[] = {
		{ "http://a.example/x", "a.example", 80 },
		{ "https://a.example", "a.example", 443 },
		{ "http://A.Example.:8080/", "a.example", 8080 },
		{ "http://me:secret@a.example:81/x@y", "a.example", 81 },
		{ "http://127.0.0.1:1/", "127.0.0.1", 1 },
		{ "http://[2001:DB8::1]:81/", "2001:db8::1", 81 },
		{ "http://a_b.example/", "a_b.example", 80 },
		{ "http://-a.example/", NULL, 0 },
		{ "http://a b/", NULL, 0 },
		{ "http://a%0a.example/", NULL, 0 },
		{ "http://\u00e4.example/", NULL, 0 },
		{ "http://a.example:0/", NULL, 0 },
		{ "http://a.example:65536/", NULL, 0 },
		{ "", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct url_place place = { .port = 0 };
		bool good = url_place_read(rows[i].url, &place);

		tap_check(rows[i].port ? good && place.port == rows[i].port &&
						 tap_same(place.host, rows[i].host)
				       : !good,
			  "place of \"%s\"", rows[i].url);
	}
}

static void check_exempt(void)
{
	static const struct {
		const char *list, *host;
		bool exempt;
	} rows[] = {
		{ "*", "a.example", true },
		{ "a.example", "a.example", true },
		{ "A.EXAMPLE", "a.example", true },
		{ "example", "a.example", true },
		{ ".example", "a.example", true },
		{ "a.example.", "a.example", true },
		{ "b.example, a.example", "a.example", true },
		{ "b.example a.example", "a.example", true },
		{ "ample", "a.example", false },
		{ "a.example.org", "a.example", false },
		{ "b.a.example", "a.example", false },
		{ "", "a.example", false },
		{ ".", "a.example", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.0/8", "127.9.0.1", true },
		{ "10.0.0.0/9", "10.127.0.1", true },
		{ "10.0.0.0/9", "10.128.0.1", false },
		{ "10.0.0.0/33", "10.0.0.0", false },
		{ "10.0.0.0/x", "10.0.0.0", false },
		{ "0.0.1", "127.0.0.1", false },
		{ "::1", "::1", true },
		{ "[::1]", "::1", true },
		{ "2001:db8::/32", "2001:db8:1::2", true },
		{ "2001:db8::/32", "2001:db9::2", false },
		{ "127.0.0.1", "::1", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(url_is_exempt(rows[i].list, rows[i].host) == rows[i].exempt,
			  "no_proxy \"%s\": %s", rows[i].list, rows[i].host);
}

static void check_routes(void)
{
	static const char *const variables[] = { "http_proxy",	"HTTP_PROXY", "https_proxy",
						 "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
						 "no_proxy",	"NO_PROXY" };
	static const struct {
		const char *what, *set[3][2], *url, *proxy; /* its host; NULL: none */
		unsigned port;
		bool names_target, malformed;
	} rows[] = {
		{ "nothing", { { 0 } }, "http://a.example/", NULL, 0, true, false },
		{ "http_proxy",
		  { { "http_proxy", "http://p:3128" } },
		  "http://a.example/",
		  "p",
		  3128,
		  false,
		  false },
		{ "no scheme",
		  { { "http_proxy", "p:3128" } },
		  "http://a.example/",
		  "p",
		  3128,
		  false,
		  false },
		{ "no port",
		  { { "http_proxy", "http://p/" } },
		  "http://a.example/",
		  "p",
		  1080,
		  false,
		  false },
		{ "port 80",
		  { { "http_proxy", "http://p:80" } },
		  "http://a.example/",
		  "p",
		  80,
		  false,
		  false },
		{ "an https proxy",
		  { { "http_proxy", "https://p" } },
		  "http://a.example/",
		  "p",
		  443,
		  false,
		  false },
		{ "an address",
		  { { "http_proxy", "http://[::1]:8080" } },
		  "http://a.example/",
		  "::1",
		  8080,
		  false,
		  false },
		{ "a password",
		  { { "http_proxy", "http://u:p%40ss@p:1" } },
		  "http://a.example/",
		  "p",
		  1,
		  false,
		  false },
		{ "HTTP_PROXY",
		  { { "HTTP_PROXY", "http://p:1" } },
		  "http://a.example/",
		  NULL,
		  0,
		  true,
		  false },
		{ "HTTPS_PROXY",
		  { { "HTTPS_PROXY", "http://p:1" } },
		  "https://a.example/",
		  "p",
		  1,
		  false,
		  false },
		{ "http_proxy for https",
		  { { "http_proxy", "http://p:1" } },
		  "https://a.example/",
		  NULL,
		  0,
		  true,
		  false },
		{ "all_proxy",
		  { { "all_proxy", "http://p:1" } },
		  "https://a.example/",
		  "p",
		  1,
		  false,
		  false },
		{ "an empty proxy",
		  { { "http_proxy", "" }, { "ALL_PROXY", "http://p:1" } },
		  "http://a.example/",
		  "p",
		  1,
		  false,
		  false },
		{ "the more specific proxy",
		  { { "http_proxy", "http://p:1" }, { "all_proxy", "http://q:2" } },
		  "http://a.example/",
		  "p",
		  1,
		  false,
		  false },
		{ "socks5h",
		  { { "all_proxy", "socks5h://p:1" } },
		  "http://a.example/",
		  "p",
		  1,
		  false,
		  false },
		{ "socks5",
		  { { "all_proxy", "socks5://p" } },
		  "http://a.example/",
		  "p",
		  1080,
		  true,
		  false },
		{ "no_proxy",
		  { { "http_proxy", "http://p:1" }, { "no_proxy", ".example" } },
		  "http://a.example/",
		  NULL,
		  0,
		  true,
		  false },
		{ "NO_PROXY",
		  { { "http_proxy", "http://p:1" }, { "NO_PROXY", "*" } },
		  "http://a.example/",
		  NULL,
		  0,
		  true,
		  false },
		{ "a malformed one",
		  { { "http_proxy", "http://[::1" } },
		  "http://a.example/",
		  NULL,
		  0,
		  false,
		  true },
		{ "an odd host",
		  { { "http_proxy", "http://p q:1" } },
		  "http://a.example/",
		  NULL,
		  0,
		  false,
		  true },
		{ "another scheme", { { 0 } }, "ftp://a.example/", NULL, 0, false, true },
		{ "a local file", { { 0 } }, "file:///etc/passwd", NULL, 0, false, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		struct url_route route = { .proxy = NULL };
		int r;

		for (size_t k = 0; k < sizeof(variables) / sizeof(*variables); k++)
			unsetenv(variables[k]);
		for (size_t k = 0; k < 3 && rows[i].set[k][0]; k++)
			setenv(rows[i].set[k][0], rows[i].set[k][1], 1);
		r = url_route_find(rows[i].url, &route, &err);
		if (rows[i].malformed)
			tap_check(r == -1 && err && err->code == ERR_NETWORK && !route.proxy,
				  "route: %s", rows[i].what);
		else
			tap_check(r == 0 && !route.proxy == !rows[i].proxy &&
					  route.names_target == rows[i].names_target &&
					  (!rows[i].proxy ||
					   (route.proxy_place.port == rows[i].port &&
					    tap_same(route.proxy_place.host, rows[i].proxy))),
				  "route: %s", rows[i].what);
		free(route.proxy);
	}
}

int main(void)
{
	check_places();
	check_exempt();
	check_routes();
	return tap_done();
}
