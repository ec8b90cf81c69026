/* The problems that `check` finds: one line each, with the fix. */
#pragma once

#include <stddef.h>

#include "lib/cleanup.h"

#define FINDINGS_MAX 40

struct findings {
	char *lines[FINDINGS_MAX];
	size_t count; /* may exceed FINDINGS_MAX: the rest was only counted */
	char *anew;   /* the command that rebuilds this rootfs */
};

void findings_add(struct findings *f, const char *format, ...) PRINTF_LIKE(2, 3);

/* For a problem that only rebuilding the rootfs fixes: appends the command. */
void findings_add_anew(struct findings *f, const char *format, ...) PRINTF_LIKE(2, 3);

/* Frees the findings. */
void findings_clear(struct findings *f);
