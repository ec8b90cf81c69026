#include "policy/subids.h"

#include <inttypes.h>
#include <string.h>

void subids_line_clear(struct subids_line *l)
{
	free(l->text);
}

bool subids_read(FILE *f, struct subids_line *l)
{
	while (f && getline(&l->text, &l->size, f) > 0) {
		char *rest = l->text;

		l->owner = strsep(&rest, ":");
		if (rest && sscanf(rest, "%" SCNu64 ":%" SCNu64, &l->first, &l->count) == 2)
			return true;
	}
	return false;
}

int subids_check_untaken(const char *name, uint32_t first, struct error **err)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		_cleanup_fclose_ FILE *f = fopen(files[i], "re");
		_cleanup_(subids_line_clear) struct subids_line l = { 0 };

		if (!f && errno == ENOENT)
			continue;
		while (subids_read(f, &l))
			if (l.first >= first ? l.first - first < SUBIDS_NEEDED
					     : first - l.first < l.count)
				return error_set(
					err, ERR_HOST,
					"the range of %s from %u on, by [ids] of the policy, "
					"overlaps that of %.64s in %s; ask an administrator to "
					"move one",
					name, first, l.owner, files[i]);
		/* The part that could not be read may be the one that overlaps. */
		if (!f || ferror(f))
			return error_errno(err, ERR_HOST, "cannot read %s", files[i]);
	}
	return 0;
}
