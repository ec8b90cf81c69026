#include "frontend/fstests/configuration_plan.h"

#include <string.h>

bool configurations_plan(const struct configurations *c, const struct test_plan *names,
			 struct test_plan *plan)
{
	static const char generic[] = "generic/";
	char section[CONFIGURATION_SIZE];

	for (size_t i = 0; i < c->count; i++)
		for (size_t k = 0; k < names->count; k++) {
			const char *name = names->list[k].name, *type = c->list[i].fstype;
			size_t length = strcspn(name, "/");

			if (strncmp(name, generic, strlen(generic)) != 0 &&
			    (strlen(type) != length || strncmp(name, type, length) != 0))
				return false;
			configuration_section(&c->list[i], section);
			if (!test_plan_add(plan, section, name))
				return false;
		}
	return true;
}

const char *configurations_unplanned(const struct configurations *c, const struct test_plan *plan,
				     char out[static CONFIGURATION_SIZE])
{
	for (size_t i = 0; i < c->count; i++) {
		bool found = false;

		configuration_section(&c->list[i], out);
		for (size_t k = 0; k < plan->count && !found; k++)
			found = strcmp(plan->list[k].section, out) == 0;
		if (!found)
			return out;
	}
	return NULL;
}
