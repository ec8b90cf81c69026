/* Files that assign ranges of ids: /etc/subuid and /etc/subgid. Format: subuid(5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

#define SUBIDS_NEEDED 65536u /* in one piece: the ids of a rootfs, and a spare one */
/* For root without a range of its own: above what login.defs(5) gives out (SUB_UID_MAX is
 * 600100000), and where systemd has its "container" ids (524288 to 1879048191). */
#define SUBIDS_ROOT_FIRST 1878982656u

/* A line that gives ids to OWNER. Initialize it with { 0 }. */
struct subids_line {
	char *owner; /* in TEXT */
	uint64_t first, count;
	char *text;
	size_t size;
};

/* Reads the next such line of F (which may be NULL), skipping others. False at the end. */
bool subids_read(FILE *f, struct subids_line *line);
void subids_line_clear(struct subids_line *line);

/* ERR_HOST if /etc/subuid or /etc/subgid gives any id of NAME's range, which starts at FIRST, to
 * anybody, even to NAME: newuidmap(1) would map these ids into a namespace of their own, where they
 * are root over what the policy keeps from them. */
int subids_check_untaken(const char *name, uint32_t first, struct error **err);
