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

int configurations_cut(const struct configurations *c, struct test_plan *plan, struct results *out,
		       struct error **err)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < plan->count; i++) {
		struct planned *p = &plan->list[i];
		_cleanup_free_ char *reason = configuration_excludes(c, p->section, p->name);
		const struct test_result result = { .section = p->section,
						    .name = p->name,
						    .status = TEST_EXPUNGED,
						    .reason = reason };

		if (!reason) {
			plan->list[kept++] = *p;
			continue;
		}
		if (r == 0)
			r = results_add(out, &result, err);
		free(p->section);
		free(p->name);
	}
	plan->count = kept;
	return r;
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
