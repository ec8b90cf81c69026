#include "frontend/fstests/requirement.h"

#include <stdlib.h>

const char *requirement_kind_name(enum requirement_kind kind)
{
	static const char *const names[REQUIREMENT_KINDS] = { "command", "user", "group", "option",
							      "module" };

	return names[kind];
}

void requirement_clear(struct requirement *requirement)
{
	free(requirement->name);
	free(requirement->tests);
}
