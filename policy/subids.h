/* Files of ranges of ids: /etc/subuid and /etc/subgid. Format: subuid(5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

#define SUBIDS_NEEDED 65536u /* in one piece: those of the rootfs, and a spare one */
/* Where root has no range of its own: above what login.defs(5) gives away (SUB_UID_MAX is
 * 600100000) and where systemd keeps "container" ids (524288 to 1879048191). */
#define SUBIDS_ROOT_FIRST 1878982656u

/* A line that gives OWNER ids. Begins as { 0 }. */
struct subids_line {
	char *owner; /* in TEXT */
	uint64_t first, count;
	char *text;
	size_t size;
};

/* The next one of F (which may be NULL); other lines are passed over. False at the end. */
bool subids_read(FILE *f, struct subids_line *line);
void subids_line_clear(struct subids_line *line);

/* ERR_HOST if anybody has ids of NAME's range from FIRST on by /etc/subuid or /etc/subgid, NAME
 * neither: newuidmap(1) would give them to a namespace of their own, where they are root over what
 * the policy keeps from them. */
int subids_check_untaken(const char *name, uint32_t first, struct error **err);
