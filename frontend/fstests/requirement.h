/* Something that tests of fstests ask for before they run. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum requirement_kind { NEEDS_COMMAND, NEEDS_USER, NEEDS_GROUP, NEEDS_OPTION, NEEDS_MODULE };
#define REQUIREMENT_KINDS 5

/* "command", "user", "group", "option", "module". */
const char *requirement_kind_name(enum requirement_kind kind);

struct requirement {
	enum requirement_kind kind;
	char *name;	      /* clean; an option without CONFIG_ */
	uint32_t filesystems; /* for which a test needs it: shell_conditions.h */
	uint32_t *tests;      /* positions in struct requirements; ascending */
	size_t test_count;
	size_t marked_in, marked_at; /* while reading */
};

void requirement_clear(struct requirement *requirement);
