#include "frontend/archive/download_route.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/archive/url_route.h"

#define HOSTS_MAX 64 /* hosts whose addresses are remembered */

struct host {
	char name[FETCH_HOST_SIZE];
	uint16_t port;
	char *entry; /* for CURLOPT_RESOLVE */
};

struct download_routes {
	download_ask *ask;
	void *context;
	struct host hosts[HOSTS_MAX];
	size_t count;
};

struct download_routes *download_routes_new(download_ask *ask, void *context)
{
	struct download_routes *routes = calloc(1, sizeof(*routes));

	if (routes) {
		routes->ask = ask;
		routes->context = context;
	}
	return routes;
}

void download_routes_free(struct download_routes **routes)
{
	for (size_t i = 0; *routes && i < (*routes)->count; i++)
		free((*routes)->hosts[i].entry);
	free(*routes);
	*routes = NULL;
}

/* "HOST:PORT:ADDRESS,ADDRESS"; the caller frees it. */
static char *compose_entry(const struct url_place *place, const struct fetch_message *answer)
{
	char *entry = NULL;
	size_t size;
	FILE *out = open_memstream(&entry, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s:%u:", place->host, place->port);
	for (uint32_t i = 0; i < answer->addresses.count; i++) {
		const char *address = answer->addresses.list[i];

		fprintf(out, strchr(address, ':') ? "%s[%s]" : "%s%s", i ? "," : "", address);
	}
	return fclose(out) == 0 ? entry : (free(entry), NULL);
}

static const char *route_remember(struct download_routes *r, const struct url_place *place,
				  char *entry)
{
	struct host *host = &r->hosts[r->count < HOSTS_MAX ? r->count++ : HOSTS_MAX - 1];

	free(host->entry);
	memcpy(host->name, place->host, sizeof(host->name));
	host->port = place->port;
	host->entry = entry;
	return entry;
}

/* Asks the parent even if the host is an address: it also decides which ports are allowed. */
static int find_entry(struct download_routes *r, const struct url_place *place, const char *kind,
		      const char **entry, char why[static CURL_ERROR_SIZE], struct error **err)
{
	struct fetch_message answer;
	char *made;

	for (size_t i = 0; i < r->count; i++)
		if (r->hosts[i].port == place->port && strcmp(r->hosts[i].name, place->host) == 0) {
			*entry = r->hosts[i].entry;
			return 0;
		}
	if (r->ask(place->host, place->port, &answer, r->context, err) < 0)
		return -1;
	if (answer.addresses.code == ERR_NETWORK) {
		snprintf(why, CURL_ERROR_SIZE, "Could not resolve %s: %.100s (%s)", kind,
			 place->host, answer.addresses.why);
		return 1;
	}
	if (answer.addresses.code)
		return error_set(err, ERR_NETWORK, "%s", answer.addresses.why);
	made = compose_entry(place, &answer);
	if (!made)
		return error_no_memory(err);
	*entry = route_remember(r, place, made);
	return 0;
}

/* A numeric address needs no entry: libcurl does not resolve it. */
static int route_add_place(struct download_routes *r, const struct url_place *place,
			   const char *kind, struct curl_slist **resolve,
			   char why[static CURL_ERROR_SIZE], struct error **err)
{
	const char *entry;
	struct curl_slist *longer;
	int found = find_entry(r, place, kind, &entry, why, err);

	if (found != 0 || url_host_is_address(place->host))
		return found;
	longer = curl_slist_append(*resolve, entry);
	if (!longer)
		return error_no_memory(err);
	*resolve = longer;
	return 0;
}

/* Honours the same variables as curl(1). */
static void set_certificates(CURL *easy)
{
	const char *bundle = getenv("CURL_CA_BUNDLE"), *file = getenv("SSL_CERT_FILE");
	const char *directory = getenv("SSL_CERT_DIR");

	bundle = bundle && *bundle ? bundle : file;
	if (bundle && *bundle)
		curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
	if (directory && *directory)
		curl_easy_setopt(easy, CURLOPT_CAPATH, directory);
}

int download_route_set(struct download_routes *r, CURL *easy, const char *url,
		       struct curl_slist **resolve, char why[static CURL_ERROR_SIZE],
		       struct error **err)
{
	_cleanup_free_ char *proxy = NULL;
	struct url_route route;
	int found = 0;

	if (url_route_find(url, &route, err) < 0)
		return -1;
	proxy = route.proxy;
	if (proxy)
		found = route_add_place(r, &route.proxy_place, "proxy", resolve, why, err);
	if (found == 0 && route.names_target)
		found = route_add_place(r, &route.target, "host", resolve, why, err);
	if (found != 0)
		return found;
	/* Keep libcurl from deciding about the proxy again. */
	curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(easy, CURLOPT_RESOLVE, *resolve);
	set_certificates(easy);
	return 0;
}
