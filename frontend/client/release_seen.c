#include "frontend/client/release_seen.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/paths.h"

int release_seen_open(char **path, struct error **err)
{
	_cleanup_free_ char *own = paths_state("releases", err);
	int fd;

	if (!own)
		return -1;
	if (dir_make_above(own) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create the directory of %s", own);
	fd = open(own, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", own);
	if (path)
		*path = STEAL_PTR(own);
	return fd;
}

/* The length of a default port (":80" or ":443") at the end of AUTHORITY, or 0. */
static size_t default_port(const char *scheme, const char *authority, size_t length)
{
	const char *port = strncasecmp(scheme, "http:", 5) == 0 ? ":80" : ":443";
	size_t size = strlen(port);

	return length > size && memcmp(authority + length - size, port, size) == 0 ? size : 0;
}

char *release_seen_place(const char *mirror)
{
	const char *authority = strstr(mirror, "://"), *path, *at;
	size_t size = 0, length;
	char *place = NULL;
	FILE *out = open_memstream(&place, &size);

	if (!out || !authority)
		return out ? (fclose(out), place) : NULL;
	authority += 3;
	path = authority + strcspn(authority, "/");
	for (const char *c = mirror; c < authority; c++)
		fputc(tolower((unsigned char)*c), out);
	at = memrchr(authority, '@', (size_t)(path - authority));
	authority = at ? at + 1 : authority;
	length = (size_t)(path - authority);
	length -= default_port(mirror, authority, length);
	for (size_t i = 0; i < length; i++)
		fputc(tolower((unsigned char)authority[i]), out);
	for (length = strlen(path); length && path[length - 1] == '/';)
		length--;
	for (size_t i = 0; i < length; i++)
		if (path[i] > ' ' && path[i] < 0x7f)
			fputc(path[i], out);
		else
			fprintf(out, "%%%02X", (unsigned char)path[i]);
	return fclose(out) == 0 ? place : (free(place), NULL);
}
