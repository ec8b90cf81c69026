#include "frontend/archive/mirror_url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "lib/cleanup.h"

/* The file:// URL of PATH, percent-encoded. */
static char *path_to_url(const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~+/:@";
	char *url = malloc(sizeof("file://") + 3 * strlen(path)), *to;

	if (!url)
		return NULL;
	to = stpcpy(url, "file://");
	for (; *path; path++) {
		if (strchr(plain, *path))
			*to++ = *path;
		else
			to += sprintf(to, "%%%02X", (unsigned int)(unsigned char)*path);
	}
	*to = '\0';
	return url;
}

static bool mirror_scheme(const char *url)
{
	static const char *const known[] = { "http://", "https://", "file:///" };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (text_has_prefix(url, known[i]) && url[strlen(known[i])] != '\0')
			return true;
	return false;
}

char *mirror_url_make(const char *mirror, struct error **err)
{
	_cleanup_free_ char *url = NULL;
	size_t length;

	if (!text_is_clean(mirror) || (mirror[0] != '/' && strchr(mirror, ' ')))
		goto malformed;
	url = mirror[0] == '/' ? path_to_url(mirror) : strdup(mirror);
	if (!url) {
		error_errno(err, ERR_SYSTEM, "cannot read the mirror's URL");
		return NULL;
	}
	if (!mirror_scheme(url) || strchr(url, '?') || strchr(url, '#'))
		goto malformed;
	for (length = strlen(url); url[length - 1] == '/'; length--)
		url[length - 1] = '\0';
	return STEAL_PTR(url);
malformed:
	error_set(err, ERR_INPUT,
		  "cannot use the mirror \"%.200s\": it is neither an http, https or file URL nor "
		  "an absolute path; pass one of these with --mirror",
		  mirror);
	return NULL;
}
