#include "policy/subids.h"

#include <inttypes.h>
#include <string.h>

#include "proto/cleanup.h"

#define FREE_FIRST 100000u /* as useradd(8) begins: SUB_UID_MIN */

/* What one file gives. */
struct given {
	unsigned int pieces;
	uint64_t all, longest; /* ids */
	uint32_t first;	       /* of the first piece that is long enough */
	bool found;
	int unread; /* errno, if there is a file that cannot be read to its end; else 0 */
};

/* END becomes the first id behind every range in the file, whosever it is. */
static void read_file(const char *file, const char *name, uid_t uid, struct given *given,
		      uint64_t *end)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char number[16];

	given->unread = f || errno == ENOENT ? 0 : errno;
	snprintf(number, sizeof(number), "%u", uid);
	while (f && getline(&line, &size, f) > 0) {
		char *rest = NULL, *owner = strtok_r(line, ":\n", &rest);
		char *start = strtok_r(NULL, ":\n", &rest), *count = strtok_r(NULL, ":\n", &rest);
		uint64_t from = start ? strtoumax(start, NULL, 10) : 0;
		uint64_t length = count ? strtoumax(count, NULL, 10) : 0;

		if (!from || !length || from > UINT32_MAX || length > UINT32_MAX - from)
			continue;
		if (from + length > *end)
			*end = from + length;
		if (strcmp(owner, name) != 0 && strcmp(owner, number) != 0)
			continue;
		given->pieces++;
		given->all += length;
		if (length > given->longest)
			given->longest = length;
		if (length >= SUBIDS_NEEDED && !given->found) {
			given->found = true;
			given->first = (uint32_t)from;
		}
	}
	if (f && ferror(f))
		given->unread = errno;
}

static void explain(const char *file, const char *name, const struct given *given,
		    struct subids *subids)
{
	char *why = subids->why;

	if (given->unread)
		snprintf(why, sizeof(subids->why), "%s cannot be read: %s", file,
			 strerror(given->unread));
	else if (!given->pieces)
		snprintf(why, sizeof(subids->why), "%s has no range for \"%.64s\"", file, name);
	else if (given->all >= SUBIDS_NEEDED)
		snprintf(why, sizeof(subids->why),
			 "\"%.64s\" has %" PRIu64 " ids in %s, but in %u ranges, the longest of "
			 "%" PRIu64 "; %u in one piece are needed",
			 name, given->all, file, given->pieces, given->longest, SUBIDS_NEEDED);
	else
		snprintf(why, sizeof(subids->why),
			 "the range of \"%.64s\" in %s has %" PRIu64 " ids; %u in one piece are "
			 "needed",
			 name, file, given->longest, SUBIDS_NEEDED);
}

bool subids_find_in(const char *users, const char *groups, const char *name, uid_t uid,
		    struct subids *subids)
{
	struct given given[2] = { 0 };
	uint64_t end = FREE_FIRST;

	*subids = (struct subids){ 0 };
	read_file(users, name, uid, &given[0], &end);
	read_file(groups, name, uid, &given[1], &end);
	for (int i = 0; i < 2; i++)
		if (uid == 0 && !given[i].pieces && !given[i].unread)
			given[i] = (struct given){ .found = true, .first = SUBIDS_ROOT_FIRST };
	subids->first_uid = given[0].first;
	subids->first_gid = given[1].first;
	if (given[0].found && given[1].found)
		return true;
	explain(given[0].found ? groups : users, name, &given[!!given[0].found], subids);
	snprintf(subids->fix, sizeof(subids->fix),
		 "usermod --add-subuids %" PRIu64 "-%" PRIu64 " --add-subgids %" PRIu64 "-%" PRIu64
		 " %.64s",
		 end, end + SUBIDS_NEEDED - 1, end, end + SUBIDS_NEEDED - 1, name);
	return false;
}

bool subids_find(const char *name, uid_t uid, struct subids *subids)
{
	return subids_find_in("/etc/subuid", "/etc/subgid", name, uid, subids);
}
