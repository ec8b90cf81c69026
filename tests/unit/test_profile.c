/* frontend/rootfs/profile.c: the profile format. A row is a file and its result: NULL if it is
 * valid, otherwise part of the message. */
#include "frontend/rootfs/profile_load.h"

#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

static char dir[SCRATCH_SIZE] = "profile";
static char path[256];

#define USER "[user a]\nuid = 1000\n"

static const struct {
	const char *what, *text, *says;
} rows[] = {
	{ "only packages", "[packages]\nall = bash coreutils\n", NULL },
	{ "comments and empty lines", "; a\n\n# b\n[packages]\n; c\nx = bash ; d\n", NULL },
	{ "commas between packages", "[packages]\nx = bash, dash\n", NULL },
	{ "a user without gid", USER, NULL },
	{ "a declared group", "[group g]\ngid = 5000\n" USER "groups = g\n", NULL },
	{ "a group declared after its user", USER "groups = g\n[group g]\ngid = 5000\n", NULL },
	{ "alternatives and optional packages",
	  "[packages]\nx = a1|b2|c3 dash\noptional = gdb|lldb\n", NULL },
	{ "packages of some releases", "[packages focal bionic]\nx = bash\noptional = gdb\n",
	  NULL },
	{ "an empty alternative", "[packages]\nx = bash|\n", ":2: \"bash|\" is no" },
	{ "an invalid alternative", "[packages]\nx = bash|-x\n", ":2: \"bash|-x\" is no" },
	{ "invalid optional packages", "[packages]\noptional = -x\n", ":2: \"-x\" is no" },
	{ "packages of an unknown release", "[packages focal foccal]\nx = bash\n",
	  ":2: \"foccal\" is not a release" },
	{ "packages of no release", "[packages ]\nx = bash\n",
	  ":2: [packages RELEASE...] names no" },
	{ "packages of more releases than a section's name holds",
	  "[packages focal bionic jammy noble bookworm trixie]\nx = bash\n",
	  ":2: too many releases" },
	{ "CRLF", "[packages]\r\nx = bash\r\n", NULL },
	{ "no newline at the end", "[packages]\nx = bash", NULL },
	{ "excluded files",
	  "[files]\npath-exclude = /usr/share/doc/* /usr/share/man/*\n"
	  "path-include = /usr/share/doc/*/copyright\n",
	  NULL },
	{ "an unknown key of files", "[files]\nexclude = /a\n", ":2: unknown key \"exclude\"" },
	{ "a relative pattern", "[files]\npath-exclude = usr/*\n",
	  ":2: \"usr/*\" is not an absolute" },
	{ "an unknown section", "[pakages]\nx = bash\n", ":2: unknown section [pakages]" },
	{ "an unknown key of a user", USER "sudo = yes\n", ":3: unknown key \"sudo\"" },
	{ "an unknown key of a group", "[group g]\nid = 1\n", ":2: unknown key \"id\"" },
	{ "an unknown key of the profile", "[profile]\nname = x\n", ":2: unknown key \"name\"" },
	{ "a key outside of any section", "x = bash\n", ":1: unknown section" },
	{ "a section without a key", "[user a]\n[packages]\nx = bash\n", ":1: a section without" },
	{ "a section without a key at the end", "[packages]\nx = bash\n[user a]\n",
	  ":3: a section" },
	{ "a line that is neither", "[packages]\nbash\n", ":2: neither" },
	{ "an invalid package", "[packages]\nx = bash -rf\n", ":2: \"-rf\" is not a" },
	{ "a package with a slash", "[packages]\nx = ../../etc\n", "package name" },
	{ "uid of root", "[user a]\nuid = 0\n", ":2: \"0\" is not an id" },
	{ "uid of nobody", "[user a]\nuid = 65534\n", ":2: \"65534\" is not an id" },
	{ "uid beyond 32 bits", "[user a]\nuid = 4294967297\n", "is not an id" },
	{ "negative uid", "[user a]\nuid = -1\n", "is not an id" },
	{ "uid in hexadecimal", "[user a]\nuid = 0x10\n", "is not an id" },
	{ "no uid", "[user a]\ngid = 1000\n", "user a has no uid" },
	{ "uid given twice", USER "uid = 1001\n", ":3: given twice" },
	{ "two users of one uid", USER "[user b]\nuid = 1000\n", "have the same uid 1000" },
	{ "two groups of one gid", "[group a]\ngid = 7\n[group b]\ngid = 7\n", "the same gid 7" },
	{ "an undeclared group", USER "groups = g\n", "member of group g" },
	{ "user with a name of digits", "[user 123]\nuid = 5\n", "is not a valid user name" },
	{ "user with a colon", "[user a:b]\nuid = 5\n", "is not a valid user name" },
	{ "user with a dash before", "[user -a]\nuid = 5\n", "is not a valid user name" },
	{ "home with a colon", USER "home = /home/a:b\n", "is not an absolute path" },
	{ "home with ..", USER "home = /home/../etc\n", "is not an absolute path" },
	{ "relative shell", USER "shell = bash\n", "is not an absolute path" },
	{ "a gid that differs from the group of that name", "[group a]\ngid = 7\n" USER "gid = 8\n",
	  "but group a has a different gid" },
};

static bool profile_write(const char *text, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	return file && fwrite(text, 1, size, file) == size;
}

static void check_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(profile_free) struct profile *p = NULL;
		_cleanup_error_ struct error *err = NULL;
		int result;

		profile_write(rows[i].text, strlen(rows[i].text));
		result = profile_load("test", &p, &err);
		if (rows[i].says)
			tap_check(result == -1 && !p && err && err->code == ERR_INPUT &&
					  strstr(err->message, path) &&
					  strstr(err->message, rows[i].says),
				  "refused: %s", rows[i].what);
		else
			tap_check(result == 0 && p, "accepted: %s", rows[i].what);
		if (err)
			printf("# %s\n", err->message);
	}
}

static const struct account *user_of(const struct profile *p, const char *name)
{
	for (size_t i = 0; p && i < p->user_count; i++)
		if (strcmp(p->users[i].name, name) == 0)
			return &p->users[i];
	return NULL;
}

static uint32_t gid_of(const struct profile *p, const char *name)
{
	for (size_t i = 0; p && i < p->group_count; i++)
		if (strcmp(p->groups[i].name, name) == 0)
			return p->groups[i].gid;
	return 0;
}

static void check_defaults(void)
{
	static const char text[] = "[packages]\na = bash acl\nb = acl dash\n" USER
				   "[user b]\nuid = 1001\ngid = 1000\nhome = /b\nshell = /bin/sh\n"
				   "[files]\npath-exclude = /a/*\npath-include = /a/b\n"
				   "path-exclude = /c/*\n";
	_cleanup_(profile_free) struct profile *p = NULL;
	const struct account *a, *b;

	profile_write(text, strlen(text));
	if (profile_load("test", &p, NULL) < 0 || !p) {
		tap_check(false, "a profile for the defaults");
		return;
	}
	a = user_of(p, "a");
	b = user_of(p, "b");
	tap_check(p->package_count == 3 && !p->packages[3], "a package is listed once");
	tap_check(a && a->uid == 1000 && a->gid == 1000, "gid is the uid by default");
	tap_check(a && tap_same(a->home, "/home/a") && tap_same(a->shell, "/bin/bash"),
		  "home and shell by default");
	tap_check(b && b->gid == 1000 && tap_same(b->home, "/b") && tap_same(b->shell, "/bin/sh"),
		  "home and shell as given");
	tap_check(p->group_count == 1 && gid_of(p, "a") == 1000,
		  "users that share a gid get one group");
	tap_check(strlen(p->sha256) == 64, "the profile has a hash");
	tap_check(p->filter_count == 3 && !p->filters[0].include && p->filters[1].include &&
			  tap_same(p->filters[2].pattern, "/c/*"),
		  "file patterns keep their order");
	tap_check(profile_add_package(p, "gdb", NULL) == 0 &&
			  profile_add_package(p, "gdb", NULL) == 0 && p->package_count == 4,
		  "an added package is listed once");
	tap_check(profile_add_package(p, "--root=/", NULL) == -1,
		  "an invalid package is not added");
}

/* Packages for one release, and for all. */
static void check_releases(void)
{
	static const char text[] = "[packages]\nx = bash\noptional = gdb\n"
				   "[packages focal bionic]\nx = dash bash\noptional = lldb\n"
				   "[packages jammy]\nx = acl\n[packages focal bionic]\ny = attr\n";
	static const struct {
		const char *release, *packages, *optional;
	} wanted[] = { { "focal", "bash dash attr", "gdb lldb" },
		       { "bionic", "bash dash attr", "gdb lldb" },
		       { "jammy", "bash acl", "gdb" },
		       { "noble", "bash", "gdb" },
		       { "foc", "bash", "gdb" } };

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		_cleanup_(profile_free) struct profile *p = NULL;
		char packages[64] = "", optional[64] = "";

		profile_write(text, strlen(text));
		if (profile_load("test", &p, NULL) < 0 ||
		    profile_choose_release(p, wanted[i].release, NULL) < 0) {
			tap_check(false, "packages of %s", wanted[i].release);
			continue;
		}
		for (size_t j = 0; j < p->package_count; j++)
			snprintf(packages + strlen(packages), sizeof(packages) - strlen(packages),
				 "%s%s", j ? " " : "", p->packages[j]);
		for (size_t j = 0; j < p->optional_count; j++)
			snprintf(optional + strlen(optional), sizeof(optional) - strlen(optional),
				 "%s%s", j ? " " : "", p->optional[j]);
		tap_check(tap_same(packages, wanted[i].packages) &&
				  tap_same(optional, wanted[i].optional),
			  "packages of %s: %s; optional: %s", wanted[i].release, packages,
			  optional);
	}
}

/* The users that fstests needs. */
static void check_fstests(void)
{
	static const struct {
		const char *user;
		uint32_t uid, gid;
		const char *group;
	} wanted[] = {
		{ "fsqa", 1000, 1000, "fsgqa" },
		{ "fsgqa2", 1001, 1001, NULL },
		{ "fsgqa", 1002, 1002, NULL },
		{ "123456-fsgqa", 1003, 1003, NULL },
	};
	static const char *const packages[] = { "bash",	     "sudo",	    "acl",
						"attr",	     "quota",	    "xfsprogs",
						"e2fsprogs", "btrfs-progs", "procps" };
	_cleanup_(profile_free) struct profile *p = NULL;
	_cleanup_error_ struct error *err = NULL;

	unlink(path);
	tap_check(profile_load("fstests", &p, &err) == 0, "profile fstests");
	if (err)
		printf("# %s\n", err->message);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		const struct account *u = user_of(p, wanted[i].user);

		tap_check(u && u->uid == wanted[i].uid && u->gid == wanted[i].gid,
			  "fstests: user %s is %u:%u", wanted[i].user, wanted[i].uid,
			  wanted[i].gid);
		if (wanted[i].group)
			tap_check(u && u->group_count == 1 &&
					  tap_same(u->groups[0], wanted[i].group),
				  "fstests: user %s is in %s", wanted[i].user, wanted[i].group);
	}
	tap_check(gid_of(p, "fsgqa") == 1002, "fstests: group fsgqa is 1002");
	for (size_t i = 0; i < sizeof(packages) / sizeof(*packages); i++) {
		bool found = false;

		for (size_t j = 0; p && j < p->package_count; j++)
			found = found || strcmp(p->packages[j], packages[i]) == 0;
		tap_check(found, "fstests: package %s", packages[i]);
	}
}

/* Files that a guest never reads are not unpacked. */
static void check_fstests_filters(void)
{
	_cleanup_(profile_free) struct profile *p = NULL;
	bool excluded = false, included = false;

	profile_load("fstests", &p, NULL);
	for (size_t i = 0; p && i < p->filter_count; i++) {
		const struct path_filter *f = &p->filters[i];

		excluded = excluded || (!f->include && tap_same(f->pattern, "/usr/share/doc/*"));
		included = included ||
			   (f->include && tap_same(f->pattern, "/usr/share/doc/*/copyright"));
	}
	tap_check(p && p->filter_count > 0 && excluded && included,
		  "fstests: documentation is excluded, except copyrights");
}

static bool write_as(const char *name, const char *text)
{
	char file[160];
	_cleanup_fclose_ FILE *out = NULL;

	snprintf(file, sizeof(file), "%.*s/%s.conf", (int)(strrchr(path, '/') - path), path, name);
	out = fopen(file, "we");
	return out && fputs(text, out) >= 0;
}

static void remove_as(const char *name)
{
	char file[160];

	snprintf(file, sizeof(file), "%.*s/%s.conf", (int)(strrchr(path, '/') - path), path, name);
	unlink(file);
}

#define BASE                                                                                       \
	"[profile]\ndescription = base\nsuites = jammy\n[packages]\na = bash acl\n[group g]\ngid " \
	"= 7\n"                                                                                    \
	"[user a]\nuid = 1000\nshell = /bin/sh\n"
#define EXTEND "[profile]\nextend = base\n"

static const struct {
	const char *what, *text, *says;
} extensions[] = {
	{ "only extend", EXTEND, NULL },
	{ "additional packages", EXTEND "[packages]\nx = gdb bash\n", NULL },
	{ "an additional user in an inherited group", EXTEND "[user b]\nuid = 1001\ngroups = g\n",
	  NULL },
	{ "a new user with an inherited uid", EXTEND "[user b]\nuid = 1000\n", "same uid 1000" },
	{ "a new group with an inherited gid", EXTEND "[group h]\ngid = 7\n", "same gid 7" },
	{ "extend after packages", "[packages]\nx = gdb\n" EXTEND, ":4: extend must come before" },
	{ "extend twice", EXTEND "extend = base\n", ":3: given twice" },
	{ "a missing profile", "[profile]\nextend = nosuch\n", ":2: no profile \"nosuch\"" },
	{ "a path", "[profile]\nextend = ../base\n", ":2: \"../base\" is not a valid" },
	{ "itself", "[profile]\nextend = test\n", "profile test extends itself" },
	{ "a cycle", "[profile]\nextend = circle\n", "extends itself" },
	{ "an invalid one", "[profile]\nextend = wrong\n", "wrong.conf:2: \"-x\" is not a" },
};

static void check_extensions(void)
{
	write_as("base", BASE);
	write_as("circle", "[profile]\nextend = test\n");
	write_as("wrong", "[packages]\na = -x\n");
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		_cleanup_(profile_free) struct profile *p = NULL;
		_cleanup_error_ struct error *err = NULL;
		const char *says = extensions[i].says;
		int result;

		profile_write(extensions[i].text, strlen(extensions[i].text));
		result = profile_load("test", &p, &err);
		tap_check(says ? result == -1 && !p && err && strstr(err->message, says)
			       : result == 0 && p && tap_same(p->extends, "base"),
			  "extend: %s", extensions[i].what);
		if (err)
			printf("# %s\n", err->message);
	}
	remove_as("circle");
	remove_as("wrong");
}

/* A child of a child: has the packages of all three, the nearest user definition, and a hash of
 * all. */
static void check_chain(void)
{
	static const char child[] =
		"[profile]\ndescription = mine\nextend = middle\nsuites = noble\n"
		"[packages]\nx = gdb\n[user a]\nuid = 1005\n";
	_cleanup_(profile_free) struct profile *p = NULL, *changed = NULL;
	_cleanup_error_ struct error *err = NULL;
	const struct account *a;

	write_as("middle", EXTEND "[packages]\nm = dash\n");
	profile_write(child, strlen(child));
	tap_check(profile_load("test", &p, &err) == 0, "extend: a chain of three");
	if (!p)
		return;
	a = user_of(p, "a");
	tap_check(p->package_count == 4 && tap_same(p->packages[3], "gdb"),
		  "extend: the packages of all, inherited ones first");
	tap_check(tap_same(p->description, "mine") && tap_same(p->extends, "middle"),
		  "extend: its own description");
	tap_check(p->suites && tap_same(p->suites[0], "noble") && !p->suites[1],
		  "extend: its own releases replace the inherited ones");
	tap_check(a && a->uid == 1005 && tap_same(a->shell, "/bin/bash") && p->user_count == 1,
		  "extend: its own user replaces the inherited one");
	tap_check(gid_of(p, "g") == 7, "extend: the group is inherited");
	write_as("base", BASE "; a comment\n");
	tap_check(profile_load("test", &changed, NULL) == 0 && strlen(p->sha256) == 64 &&
			  !tap_same(p->sha256, changed->sha256),
		  "extend: the hash covers the inherited profiles");
	remove_as("base");
	remove_as("middle");
}

/* Every profile shipped with rootlet can be read and has a description. */
static void check_built_in(void)
{
	static const struct {
		const char *name, *extends, *package;
	} built_in[] = {
		{ "minimal", NULL, "kmod" },
		{ "fstests-build", "fstests", "xfslibs-dev" },
		{ "fstests-build", "fstests", "fio" },
		{ "blktests", "minimal", "nvme-cli" },
		{ "kselftest", "minimal", "rsync" },
		{ "ltp", "minimal", "libaio-dev" },
	};

	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
		_cleanup_(profile_free) struct profile *p = NULL;
		bool found = false;

		if (profile_load(built_in[i].name, &p, NULL) == 0)
			for (char **package = p->packages; *package; package++)
				found = found || strcmp(*package, built_in[i].package) == 0;
		tap_check(found && p->description && tap_same(p->extends, built_in[i].extends),
			  "profile %s has %s", built_in[i].name, built_in[i].package);
	}
}

static void check_bad_files(void)
{
	static const char nul[] = "[packages]\nx = ba\0sh\n";
	static char line[100000];
	struct profile *p = NULL;
	_cleanup_error_ struct error *err = NULL;

	profile_write(nul, sizeof(nul) - 1);
	tap_check(profile_load("test", &p, &err) == -1 && err && err->code == ERR_INPUT,
		  "refused: NUL bytes");
	error_free(&err);
	memset(line, 'x', sizeof(line));
	memcpy(line, "[packages]\nx = ", 15);
	profile_write(line, sizeof(line));
	tap_check(profile_load("test", &p, &err) == -1 && err && err->code == ERR_INPUT,
		  "refused: a line of 100 kB");
	error_free(&err);
	tap_check(profile_load("../test", &p, &err) == -1 && err && err->code == ERR_INPUT,
		  "refused: a name with a path");
	error_free(&err);
	tap_check(profile_load("no-such", &p, &err) == -1 && err && err->code == ERR_INPUT &&
			  strstr(err->message, "no-such"),
		  "a missing profile");
}

/* Directories below the temporary one, in order of creation. */
static const char *const subdirs[] = { "", "/rootlet", "/rootlet/profiles" };

static const char *subdir(size_t i)
{
	static char name[128];

	snprintf(name, sizeof(name), "%s%s", dir, subdirs[i]);
	return name;
}

int main(void)
{
	if (!scratch_make(dir))
		return 1;
	setenv("XDG_CONFIG_HOME", dir, 1);
	for (size_t i = 1; i < 3; i++)
		mkdir(subdir(i), 0700);
	snprintf(path, sizeof(path), "%s/test.conf", subdir(2));
	check_rows();
	check_defaults();
	check_releases();
	check_extensions();
	check_chain();
	check_bad_files();
	check_fstests();
	check_fstests_filters();
	check_built_in();
	unlink(path);
	for (size_t i = 3; i-- > 0;)
		rmdir(subdir(i));
	return tap_done();
}
