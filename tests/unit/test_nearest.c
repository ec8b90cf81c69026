/* frontend/rootfs/nearest.c: which snapshots can be extended. */
#include "frontend/rootfs/nearest.h"

#include "frontend/cli/word_list.h"
#include "lib/cleanup.h"
#include "tap.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEYRING "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define POLICY "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define EARLY "Mon, 02 Nov 2026 10:00:00 UTC"
#define LATE "Tue, 03 Nov 2026 10:00:00 UTC"
#define LATE_SECONDS 1793700000

/* A rootfs of four packages of one byte each, and a snapshot that has all of them. */
struct scene {
	struct package packages[4];
	struct pocket pocket;
	struct package_set set;
	struct path_filter filter;
	struct account_group group;
	struct account users[2];
	struct profile profile;
	struct host_ids ids;
	struct nearest_goal goal;
	/* the snapshot */
	struct manifest_package has[4];
	struct manifest_release release;
	struct path_filter its_filter;
	struct account its_users[2];
	struct manifest manifest;
	struct base_note note;
};

static void lay_out(struct scene *s)
{
	static const struct account user = { .name = "u", .uid = 1000, .home = "/", .shell = "/x" };
	static char *const names[] = { "base-files", "acl", "attr", "bc" };

	*s = (struct scene){
		.pocket = { .name = "", .place = "http://m", .date = LATE },
		.set = { .suite = "jammy",
			 .arch = "amd64",
			 .mirror = "http://m",
			 .pocket_count = 1,
			 .package_count = 4 },
		.filter = { .pattern = "/usr/share/doc/*" },
		.group = { .name = "g", .gid = 1000 },
		.users = { user, user },
		.profile = { .filter_count = 1, .group_count = 1, .user_count = 1 },
		.ids = { .first_uid = 100000, .first_gid = 200000, .count = 65536 },
		.goal = { .keyring = KEYRING, .policy = POLICY },
		.release = { .pocket = "", .mirror = "http://m", .date = LATE_SECONDS },
		.its_filter = { .pattern = "/usr/share/doc/*" },
		.its_users = { user, user },
		.manifest = { .engine = "native",
			      .suite = "jammy",
			      .arch = "amd64",
			      .mirror = "http://m",
			      .first_uid = 100000,
			      .first_gid = 200000,
			      .count = 65536,
			      .filter_count = 1,
			      .release_count = 1,
			      .package_count = 4,
			      .group_count = 1,
			      .user_count = 1 },
		.note = { .keyring = KEYRING, .policy = POLICY },
	};
	for (size_t i = 0; i < 4; i++) {
		s->packages[i] = (struct package){
			.name = names[i], .version = "2", .arch = "amd64", .size = 1
		};
		memset(s->packages[i].sha256, 0xaa, SHA256_LEN);
		s->has[i] = (struct manifest_package){
			.name = names[i], .version = "2", .arch = "amd64", .sha256 = A
		};
	}
	s->set.packages = s->packages;
	s->set.pockets = &s->pocket;
	s->profile.filters = &s->filter;
	s->profile.groups = &s->group;
	s->profile.users = s->users;
	s->goal.set = &s->set;
	s->goal.profile = &s->profile;
	s->goal.ids = &s->ids;
	s->manifest.packages = s->has;
	s->manifest.releases = &s->release;
	s->manifest.filters = &s->its_filter;
	s->manifest.groups = &s->group;
	s->manifest.users = s->its_users;
}

static void nothing(struct scene *s)
{
	(void)s;
}

static void lacks_one(struct scene *s)
{
	s->manifest.package_count--;
}

static void lacks_half(struct scene *s)
{
	s->manifest.package_count = 2;
}

static void lacks_large(struct scene *s)
{
	lacks_one(s);
	s->packages[3].size = 100;
}

static void has_more(struct scene *s)
{
	s->set.package_count--;
}

static void has_other_arch(struct scene *s)
{
	s->has[0].arch = "all";
}

static void has_older(struct scene *s)
{
	s->has[3].sha256 = B;
	s->has[3].version = "1";
}

static void has_newer_release(struct scene *s)
{
	has_older(s);
	s->pocket.date = EARLY;
}

static void has_same_of_newer_release(struct scene *s)
{
	s->pocket.date = EARLY;
}

static void has_other_mirror(struct scene *s)
{
	has_older(s);
	s->manifest.mirror = "http://other";
}

static void has_other_pocket(struct scene *s)
{
	has_older(s);
	s->release.pocket = "updates";
}

static void has_other_keyring(struct scene *s)
{
	has_older(s);
	s->note.keyring[0] = 'e';
}

static void has_same_of_other_keyring(struct scene *s)
{
	s->note.keyring[0] = 'e';
}

static void has_older_of_repository(struct scene *s)
{
	has_older(s);
	s->manifest.repository_count = 1;
}

static void has_other_policy(struct scene *s)
{
	s->note.policy[0] = '\0';
}

static void was_extended(struct scene *s)
{
	s->note.extended = true;
}

static void was_extended_and_lacks_one(struct scene *s)
{
	was_extended(s);
	lacks_one(s);
}

static void has_other_engine(struct scene *s)
{
	s->manifest.engine = "debootstrap";
}

static void has_no_engine(struct scene *s)
{
	s->manifest.engine = NULL;
}

static void was_changed(struct scene *s)
{
	s->manifest.changed = 1;
}

static void was_published(struct scene *s)
{
	s->manifest.published = "p";
}

static void is_from_lock(struct scene *s)
{
	s->manifest.first_uid = s->manifest.first_gid = s->manifest.count = 0;
}

static void has_other_suite(struct scene *s)
{
	s->manifest.suite = "noble";
}

static void is_of_other_arch(struct scene *s)
{
	s->manifest.arch = "arm64";
}

static void leaves_out_more(struct scene *s)
{
	s->profile.filter_count = 0;
}

static void leaves_out_other(struct scene *s)
{
	s->its_filter.include = true;
}

static void lacks_user(struct scene *s)
{
	s->profile.user_count = 2;
	s->users[1].name = "v";
}

static void has_user_more(struct scene *s)
{
	s->manifest.user_count = 2;
	s->its_users[1].name = "v";
}

static void has_other_shell(struct scene *s)
{
	s->its_users[0].shell = "/y";
}

static void has_group_more(struct scene *s)
{
	s->profile.group_count = 0;
}

static const struct row {
	const char *what;
	void (*change)(struct scene *s);
	size_t added, replaced;
	bool near, accounts;
} rows[] = {
	{ "has everything", nothing, 0, 0, true, false },
	{ "lacks a quarter of them", lacks_one, 1, 0, true, false },
	{ "lacks half of them", lacks_half, 0, 0, false, false },
	{ "lacks most of the bytes", lacks_large, 0, 0, false, false },
	{ "has a package too many", has_more, 0, 0, false, false },
	{ "has one of another architecture", has_other_arch, 0, 0, false, false },
	{ "has one in an older version", has_older, 0, 1, true, false },
	{ "has one of a newer release file", has_newer_release, 0, 0, false, false },
	{ "has the same of a newer release file", has_same_of_newer_release, 0, 0, true, false },
	{ "has one of another mirror", has_other_mirror, 0, 0, false, false },
	{ "has one of another pocket", has_other_pocket, 0, 0, false, false },
	{ "has one of another keyring", has_other_keyring, 0, 0, false, false },
	{ "has the same of another keyring", has_same_of_other_keyring, 0, 0, true, false },
	{ "has one, and a repository", has_older_of_repository, 0, 0, false, false },
	{ "was made under another policy", has_other_policy, 0, 0, false, false },
	{ "was extended, and has everything", was_extended, 0, 0, true, false },
	{ "was extended, and lacks a package", was_extended_and_lacks_one, 0, 0, false, false },
	{ "was made by debootstrap", has_other_engine, 0, 0, false, false },
	{ "has a manifest of the first format", has_no_engine, 0, 0, false, false },
	{ "was changed", was_changed, 0, 0, false, false },
	{ "was made by a publisher", was_published, 0, 0, false, false },
	{ "was made from a lock", is_from_lock, 0, 0, false, false },
	{ "is of another release", has_other_suite, 0, 0, false, false },
	{ "is of another architecture", is_of_other_arch, 0, 0, false, false },
	{ "leaves out more files", leaves_out_more, 0, 0, false, false },
	{ "leaves out other files", leaves_out_other, 0, 0, false, false },
	{ "lacks a user", lacks_user, 0, 0, true, true },
	{ "has a user too many", has_user_more, 0, 0, false, false },
	{ "has a user with another shell", has_other_shell, 0, 0, false, false },
	{ "has a group too many", has_group_more, 0, 0, false, false },
};

static void judge(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct nearest n = { 0 };
		struct scene s;
		bool near;

		lay_out(&s);
		row->change(&s);
		n.manifest = &s.manifest;
		near = nearest_judge(&n, &s.note, &s.goal);
		tap_check(near == row->near &&
				  (!near || (n.added == row->added && n.replaced == row->replaced &&
					     n.accounts == row->accounts)),
			  "a snapshot that %s is %s", row->what, row->near ? "used" : "not used");
	}
}

static void words(void)
{
	_cleanup_(words_freep) char **list = NULL;
	struct nearest n = { 0 };
	struct scene s;

	lay_out(&s);
	has_older(&s);
	s.manifest.packages = s.has + 1;
	s.manifest.package_count = 3;
	n.manifest = &s.manifest;
	list = nearest_words(&n, &s.set);
	tap_check(list && words_count(list) == 2 && tap_same(list[0], "base-files=2") &&
			  tap_same(list[1], "bc=2"),
		  "what is missing and what is older is asked for, in its version");
}

int main(void)
{
	judge();
	words();
	return tap_done();
}
