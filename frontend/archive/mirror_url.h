/* URLs of mirrors, as users and configurations write them. */
#pragma once

#include "lib/error.h"

/* Turns an absolute path or a URL into a URL without trailing slashes, which the caller frees.
 * ERR_INPUT for other schemes. */
char *mirror_url_make(const char *mirror, struct error **err);
