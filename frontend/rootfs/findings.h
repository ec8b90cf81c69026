/* What `check` finds wrong: reasons, each on a line with what to do about it. */
#pragma once

#include <stddef.h>

#include "lib/cleanup.h"

#define FINDINGS_MAX 40

struct findings {
	char *lines[FINDINGS_MAX];
	size_t count; /* may exceed FINDINGS_MAX: the rest was counted only */
	char *anew;   /* the command that makes this rootfs anew */
};

void findings_add(struct findings *f, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same for what only a new rootfs mends: says the command. */
void findings_add_anew(struct findings *f, const char *format, ...) PRINTF_LIKE(2, 3);

/* Releases what it holds. */
void findings_clear(struct findings *f);
