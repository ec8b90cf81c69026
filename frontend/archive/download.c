#include "frontend/archive/download.h"

#include <stdlib.h>
#include <string.h>

void download_clear(struct download *download)
{
	for (size_t i = 0; i < DOWNLOAD_URLS; i++)
		free(download->urls[i]);
	free(download->path);
	free(download->data);
	*download = (struct download){ 0 };
}

char *download_url(const char *base, const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~+/:@";
	char *url = malloc(strlen(base) + 3 * strlen(path) + 2), *to;

	if (!url)
		return NULL;
	to = stpcpy(stpcpy(url, base), "/");
	for (; *path; path++) {
		if (strchr(plain, *path))
			*to++ = *path;
		else
			to += sprintf(to, "%%%02X", (unsigned int)(unsigned char)*path);
	}
	*to = '\0';
	return url;
}
