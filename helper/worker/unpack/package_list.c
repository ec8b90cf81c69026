#include "helper/worker/unpack/package_list.h"

#include <string.h>

#include "lib/deb822.h"

struct unpacked_package *plan_add(struct unpack_plan *plan, const char *name, struct error **err)
{
	struct unpacked_package *p = &plan->packages[plan->count];

	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->packages[i].name, name) == 0) {
			error_set(err, ERR_REFUSED, "package %s: it was sent twice", name);
			return NULL;
		}
	if (plan->count == PACKAGES_MAX) {
		error_set(err, ERR_REFUSED, "more than %d packages", PACKAGES_MAX);
		return NULL;
	}
	snprintf(p->name, sizeof(p->name), "%s", name);
	plan->count++;
	return p;
}

const char *package_field(const struct unpacked_package *p, const char *field, size_t *size)
{
	return stanza_lines(p->control, p->control_size, field, size);
}

void package_database_name(const struct unpacked_package *p, const struct layout *layout, char *out,
			   size_t size)
{
	bool same = stanza_field_is(p->control, p->control_size, "Multi-Arch", "same");

	snprintf(out, size, "%s%s%s", p->name, same ? ":" : "", same ? layout->arch : "");
}
