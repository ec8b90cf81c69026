/* For which filesystems a line of fstests' shell code runs: follows `case "$FSTYP" in` and tests
 * such as `if [ "$FSTYP" = xfs ]`. Takes every other condition as met. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bit for each filesystem that fstests knows, and one for all others. */
#define FILESYSTEMS_ALL UINT32_MAX

/* The bits of the names that PATTERN matches: "xfs", "ext[234]", "nfs*". */
uint32_t filesystems_matching(const char *pattern);

/* The name of the only filesystem in BITS; "ext4" for ext2, ext3 and ext4; NULL if there are
 * several. */
const char *filesystems_name(uint32_t bits);

#define CONDITIONS_MAX 32 /* inside each other */

struct shell_conditions {
	uint32_t base; /* of the function or the test */
	size_t depth;  /* may exceed CONDITIONS_MAX: those are taken as met */
	struct shell_condition {
		bool is_case, by_filesystem;
		uint32_t now;	   /* in the current branch */
		uint32_t outer;	   /* around the whole */
		uint32_t branches; /* that the branches so far took */
	} list[CONDITIONS_MAX];
};

/* At the beginning of a function or a test. */
void shell_conditions_reset(struct shell_conditions *conditions);

/* The filesystems for which LINE, the next one, runs. */
uint32_t shell_conditions_take(struct shell_conditions *conditions, const char *line);
