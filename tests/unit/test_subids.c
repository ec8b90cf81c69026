/* policy/subids_find.c: the range that a user gets, and the message without one. */
#include "policy/subids.h"
#include "policy/subids_find.h"

#include <stdlib.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	if (!out || fputs(text, out) < 0 || fclose(out) != 0)
		exit(1);
}

/* A missing file has no ranges; an unreadable one might have some. */
static void check_unreadable(void)
{
	struct subids got;

	write_file("groups", "you:100000:65536\n");
	tap_check(!subids_find_in("users", "groups", "you", 1000, &got) &&
			  strstr(got.why, "users has no range"),
		  "no file: %s", got.why);
	tap_check(!subids_find_in(".", "groups", "you", 1000, &got) &&
			  strstr(got.why, ". cannot be read: Is a directory"),
		  "a directory: %s", got.why);
	tap_check(!subids_find_in("groups/users", "groups", "root", 0, &got) &&
			  strstr(got.why, "groups/users cannot be read: Not a directory"),
		  "a path through a file: %s", got.why);
}

int main(void)
{
	static const struct {
		const char *what, *users, *groups;
		uid_t uid;
		uint32_t first_uid, first_gid; /* 0: refused */
		const char *why, *fix;
	} rows[] = {
		{ "a range in each", "you:100000:65536\n", "you:300000:65536\n", 1000, 100000,
		  300000, "", "" },
		{ "a range by number", "1000:100000:65536\n", "1000:100000:65537\n", 1000, 100000,
		  100000, "", "" },
		{ "the first range that is long enough",
		  "you:5:10\nyou:200000:65536\nyou:400000:70000\n", "you:200000:65536\n", 1000,
		  200000, 200000, "", "" },
		{ "root without one", "", "", 0, SUBIDS_ROOT_FIRST, SUBIDS_ROOT_FIRST, "", "" },
		{ "no range", "other:100000:65536\n", "", 1000, 0, 0, "has no range for \"you\"",
		  "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 you" },
		{ "no range of group ids", "you:100000:65536\n", "", 1000, 0, 0,
		  "groups has no range for \"you\"",
		  "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 you" },
		{ "two halves", "you:100000:32768\nyou:200000:32768\n", "you:100000:65536\n", 1000,
		  0, 0,
		  "users gives \"you\" no range that is long enough: the longest of 2 has 32768 "
		  "ids; "
		  "65536 in one piece are needed",
		  "usermod --add-subuids 232768-298303 --add-subgids 232768-298303 you" },
		{ "too small", "you:100000:65535\n", "you:100000:65536\n", 1000, 0, 0,
		  "the longest of 1 has 65535 ids; 65536 in one piece are needed",
		  "usermod --add-subuids 165536-" },
		{ "root's, too small", "root:100000:10\n", "root:100000:10\n", 0, 0, 0,
		  "the longest of 1 has 10 ids", "usermod" },
		{ "from 0", "you:0:65536\n", "you:0:65536\n", 1000, 0, 0, "has no range",
		  "usermod" },
		{ "past the last id", "you:4294900000:70000\n", "you:1:18446744073709551615\n",
		  1000, 0, 0, "has no range", "usermod --add-subuids 100000-165535 " },
		{ "no numbers", "you\nyou:\nyou:x:y\n:1:65536\n", "you:100000:65536\n", 1000, 0, 0,
		  "has no range", "usermod" },
	};
	char dir[SCRATCH_SIZE] = "subids";

	if (!scratch_make(dir) || chdir(dir) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct subids got;
		bool found;

		write_file("users", rows[i].users);
		write_file("groups", rows[i].groups);
		found = subids_find_in("users", "groups", rows[i].uid ? "you" : "root", rows[i].uid,
				       &got);
		tap_check(found == (rows[i].first_uid != 0) &&
				  (!found || (got.first_uid == rows[i].first_uid &&
					      got.first_gid == rows[i].first_gid)) &&
				  strstr(got.why, rows[i].why) && strstr(got.fix, rows[i].fix),
			  "%s: %s; %s", rows[i].what, got.why, got.fix);
	}
	unlink("users");
	check_unreadable();
	unlink("groups");
	rmdir(dir);
	return tap_done();
}
