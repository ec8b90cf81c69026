/* Further archives, each with its own keys, that a rootfs takes packages from besides its release's
 * (create --repository). */
#pragma once

#include <stddef.h>

#include "lib/error.h"

struct repository {
	char *mirror, *suite, *keyring; /* KEYRING is a path */
	char **components;		/* NULL-terminated, at least one */
};

/* Parses LINE, "[signed-by=FILE] URL SUITE COMPONENT…": an entry of apt's sources.list(5), with or
 * without "deb". OUT is the caller's to clear, even after an error. ERR_INPUT if it is malformed.
 */
int repository_parse(const char *line, struct repository *out, struct error **err);

/* Copies ASKED with its mirror and the path of its keyring in canonical form. ERR_INPUT if the
 * keyring cannot be used. */
int repository_plan(const struct repository *asked, struct repository *out, struct error **err);

void repository_clear(struct repository *repository);
void repositories_free(struct repository *list, size_t count);
