#include "policy/subids_find.h"

#include <inttypes.h>
#include <string.h>

#include "policy/subids.h"

#define FREE_FIRST 100000u /* where useradd(8) starts: SUB_UID_MIN */

/* What a user gets from one file. */
struct given {
	unsigned int pieces;
	uint64_t longest; /* ids */
	uint32_t first;	  /* of the first piece that is long enough */
	int unread;	  /* errno if the file exists but cannot be read to its end; else 0 */
};

/* *END becomes the first id after every range in the file, no matter whose. */
static void subids_read_file(const char *file, const char *name, uid_t uid, struct given *given,
			     uint64_t *end)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	_cleanup_(subids_line_clear) struct subids_line l = { 0 };
	char number[16];

	given->unread = f || errno == ENOENT ? 0 : errno;
	snprintf(number, sizeof(number), "%u", uid);
	while (subids_read(f, &l)) {
		if (!l.first || !l.count || l.first > UINT32_MAX || l.count > UINT32_MAX - l.first)
			continue;
		if (l.first + l.count > *end)
			*end = l.first + l.count;
		if (strcmp(l.owner, name) != 0 && strcmp(l.owner, number) != 0)
			continue;
		given->pieces++;
		if (l.count >= SUBIDS_NEEDED && given->longest < SUBIDS_NEEDED)
			given->first = (uint32_t)l.first;
		if (l.count > given->longest)
			given->longest = l.count;
	}
	if (f && ferror(f))
		given->unread = errno;
}

static void subids_explain(const char *file, const char *name, const struct given *given,
			   struct subids *subids)
{
	char *why = subids->why;

	if (given->unread)
		snprintf(why, sizeof(subids->why), "%s cannot be read: %s", file,
			 strerror(given->unread));
	else if (!given->pieces)
		snprintf(why, sizeof(subids->why), "%s has no range for \"%.64s\"", file, name);
	else
		snprintf(why, sizeof(subids->why),
			 "%s gives \"%.64s\" no range that is long enough: the longest of %u has "
			 "%" PRIu64 " ids; %u in one piece are needed",
			 file, name, given->pieces, given->longest, SUBIDS_NEEDED);
}

bool subids_find_in(const char *users, const char *groups, const char *name, uid_t uid,
		    struct subids *subids)
{
	struct given given[2] = { 0 };
	uint64_t end = FREE_FIRST;

	*subids = (struct subids){ 0 };
	subids_read_file(users, name, uid, &given[0], &end);
	subids_read_file(groups, name, uid, &given[1], &end);
	for (int i = 0; i < 2; i++)
		if (uid == 0 && !given[i].pieces && !given[i].unread)
			given[i] = (struct given){ 0, SUBIDS_NEEDED, SUBIDS_ROOT_FIRST, 0 };
	subids->first_uid = given[0].first;
	subids->first_gid = given[1].first;
	if (subids->first_uid && subids->first_gid)
		return true;
	subids_explain(subids->first_uid ? groups : users, name, &given[!!subids->first_uid],
		       subids);
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
