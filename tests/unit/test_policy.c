/* policy/: the valid contents of a policy, the users it names, and its decisions. A row is one text
 * or one question.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/write_all.h"
#include "policy/decide_mirror.h"
#include "policy/policy_text.h"
#include "policy/rule_content.h"
#include "rootlet.pb-c.h"

#include "scratch.h"
#include "tap.h"

#define LAB "[allow lab]\nusers = lab\n"

/* The reason for refusing a text; NULL: it is accepted. */
static const struct {
	const char *text, *says;
} texts[] = {
	{ "", NULL },
	{ LAB, NULL },
	{ "; a comment\n" LAB "operations = create check ; another\n", NULL },
	{ LAB "operations = create fly\n", "p:3: \"fly\" is not a valid operation" },
	{ LAB "wings = 2\n", "p:3: unknown key \"wings\" in [allow lab]" },
	{ "[sky]\na = b\n", "p:1: unknown section [sky]" },
	{ "[allow]\nusers = lab\n", "p:1: unknown section [allow]" },
	{ "[allow a b]\nusers = lab\n", "p:1: \"a b\" is not a valid section name" },
	{ "[allow ../x]\nusers = lab\n", "p:1: \"../x\" is not a valid section name" },
	{ LAB "users = other\n", "p:3: \"users\" is given twice" },
	{ LAB "  other\n", "p:3: neither" },
	{ LAB "[ids]\nfirst = 200000\n" LAB, "p:5: a second section [allow lab]" },
	{ "users = lab\n", "p:1: unknown key \"users\" in []" },
	{ LAB "rubbish\n", "p:3: neither" },
	{ "[allow lab]\n[ids]\nfirst = 200000\n", NULL },
	{ "[allow lab\nusers = lab\n", "p:1: a section's header" },
	{ "[allow lab] x\nusers = lab\n", "p:1: a section's header" },
	{ "[allow lab] ; x\r\n\tusers: lab\t;\r\n# x = y\n;x\n \n[audit]\nsyslog=yes", NULL },
	{ "[ids]\nsyslog = yes\n", "p:2: unknown key \"syslog\" in [ids]" },
	{ LAB "= x\n", "p:3: unknown key \"\" in [allow lab]" },
	{ LAB "users;groups = x\n", "p:3: unknown key \"users;groups\"" },
	{ LAB "[audit]\nsyslog = yes\n[ids]\n[audit]\nsyslog = no\n",
	  "p:7: \"syslog\" is given twice" },
	{ LAB "max-size = 2X\n", "p:3: \"2X\" is not a valid size" },
	{ LAB "max-size = 0\n", "p:3: \"0\" is not a valid size" },
	{ LAB "max-size = -1\n", "p:3: \"-1\" is not a valid size" },
	{ LAB "max-size = 99999999999999999999\n", "p:3:" },
	{ LAB "max-size = 512M\n", NULL },
	{ LAB "max-count = 2G\n", "p:3: \"2G\" is not a valid number" },
	{ LAB "tree-modes = 0700 0755\n", NULL },
	{ LAB "tree-modes = 0777\n", "p:3: \"0777\" is not a valid rootfs mode" },
	{ LAB "tree-modes = 755\n", "p:3:" },
	{ LAB "folders = relative\n", "p:3: \"relative\" is not a valid directory" },
	{ LAB "folders = /a/../b\n", "p:3:" },
	{ LAB "folders = /a/\n", "p:3:" },
	{ LAB "folders = /a//b\n", "p:3:" },
	{ LAB "folders = ~other\n", "p:3:" },
	{ LAB "folders = ~ ~/x /srv/a *\n", NULL },
	{ LAB "keyrings = x.gpg\n", "p:3:" },
	{ LAB "mirrors = ftp://x\n", "p:3:" },
	{ LAB "releases = Jammy\n", "p:3:" },
	{ "[audit]\nrequired = maybe\n", "p:2: \"maybe\" is not a valid switch (yes or no)" },
	{ "[audit]\nfile = log\n", "p:2: \"log\" is not a valid absolute path (or none)" },
	{ "[audit]\nfile =\n", "p:2: \"\" is not a valid absolute path (or none)" },
	{ "[audit]\nfile = /var/log/of all\n", NULL },
	{ "[audit]\nfile = none\n", NULL },
	{ "[audit]\nrequired = yes\n", NULL },
	{ "[audit]\nrequired = yes\nfile = none\n", "p: [audit]: required = yes needs a file" },
	{ "[ids]\nfirst = 1000\n", "p:2: \"1000\" is not a valid id" },
	{ "[ids]\nfirst = 4294967295\n", "p:2:" },
	{ "[ids]\nuids = 5-1\n", "p:2: \"5-1\" is not a valid span" },
	{ "[ids]\nuids = 0-10\n", "p:2:" },
	{ "[ids]\nfirst = 4000000000\nuids = 1000-9000\n", "go beyond the last id" },
	{ "[ids]\nuser a = 200000\nuser b = 265536\n", NULL },
	{ "[ids]\nuser a = 200000\nuser b = 265535\n", "p: [ids]: the ranges of a and b overlap" },
	{ "[ids]\nuser a = 200000\nuser a = 400000\n", "p:3: user a has a range already" },
	{ "[ids]\nuser a = 1879048192\n", "p: [ids]: the ranges of user ids and a overlap" },
	{ "[ids]\nfirst = 1878982656\nuids = 1-2\nuser root = 1879048191\n",
	  "p: [ids]: the ranges of root and user ids overlap" },
	{ "[ids]\nuser a = 1878982657\n", "p: [ids]: the ranges of root and a overlap" },
	{ "[ids]\nuser a = 1878982656\n", "p: [ids]: the ranges of root and a overlap" },
	{ "[ids]\nuser a = 1878917121\n", "p: [ids]: the ranges of root and a overlap" },
	{ "[ids]\nuser a = 1878917120\n", NULL },
	{ "[ids]\nuser root = 1878982656\n", NULL },
	{ "[ids]\nfirst = 1879000000\nuids = none\n", NULL },
	{ "[ids]\nfirst = 1878851584\nuids = 1-2\n", NULL },
	{ "[ids]\nfirst = 1878851585\nuids = 1-2\n",
	  "p: [ids]: the ranges of root and user ids overlap" },
	{ "[ids]\nfirst = 1879048192\nuids = 1-2\n", NULL },
	{ "[ids]\nuids = none\nuser a = 1879048192\n", NULL },
	{ "[ids]\nuser -a = 200000\n", "p:2: \"-a\" is not a valid user name" },
};

static void check_texts(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		_cleanup_(policy_free) struct policy *policy = NULL;
		_cleanup_error_ struct error *err = NULL;
		int r = policy_parse("p", texts[i].text, &policy, &err);
		bool good = texts[i].says ? r < 0 && err && strstr(err->message, texts[i].says)
					  : r == 0 && !err;

		tap_check(good, "text %zu: %s", i, texts[i].says ? texts[i].says : "accepted");
		if (!good)
			printf("# %s\n", err ? err->message : "accepted");
	}
}

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct error *err = NULL;

	if (policy_parse("p", text, &policy, &err) < 0) {
		printf("# %s\n", err->message);
		exit(1);
	}
	return policy;
}

static const char policy_text[] =
	"[allow one]\nusers = lab 1234\noperations = create check\nfolders = ~/trees /srv/r\n"
	"releases = jammy\nmirrors = https://good.example/ubuntu\nkeyrings = /etc/passwd\n"
	"deny-packages = sudo *-dev\nengines = debootstrap\n"
	"[allow two]\ngroups = 4000\noperations = shell\n"
	"[allow three]\ngroups = no-such-group daemon\noperations = check\n";

static const struct caller lab = { .uid = 1000, .name = "lab", .home = "/home/lab" };
static const struct caller numbered = { .uid = 1234, .name = "other" };
static const struct caller member = {
	.uid = 1001, .name = "m", .groups = { 9, 4000 }, .group_count = 2
};
/* The id of the group named in policy_text, and the id for an unknown name. */
static const struct caller daemons = {
	.uid = 1003, .name = "d", .groups = { 1 }, .group_count = 1
};
static const struct caller primary = { .uid = 1004, .name = "p", .gid = 1 };
static const struct caller zero = { .uid = 1005, .name = "z", .gid = 0 };
static const struct caller stranger = { .uid = 1002, .name = "labor", .gid = 100 };

/* Lines have no limit of their own. */
static void check_long_line(void)
{
	char text[65536] = LAB "deny-packages =";
	struct question q = { "Package", .package = "last", .keyring = -1 };
	struct decision d;
	struct grant g;

	memset(text + strlen(text), ' ', sizeof(text) - strlen(text) - sizeof("last"));
	memcpy(text + sizeof(text) - sizeof("last"), "last", sizeof("last"));
	_cleanup_(policy_free) struct policy *policy = parse(text);
	grant_make(&g, policy, &lab, NULL);
	policy_decide_request(&g, &q, &d);
	tap_check(!d.allowed, "the last word of a long line counts");
}

static const struct {
	const struct caller *caller;
	struct question question;
	const char *rule; /* NULL: allowed */
} questions[] = {
	{ &lab, { "Hello", .keyring = -1 }, NULL },
	{ &lab, { "Inspect", .dir = "/home/lab/trees/x", .keyring = -1 }, NULL },
	{ &lab, { "Inspect", .dir = "/home/lab/trees", .keyring = -1 }, NULL },
	{ &lab, { "Inspect", .dir = "/srv/r/a", .keyring = -1 }, NULL },
	{ &lab, { "Inspect", .dir = "/home/lab/treesome", .keyring = -1 }, "folders" },
	{ &lab, { "Inspect", .dir = "/home/lab", .keyring = -1 }, "folders" },
	{ &lab, { "Inspect", .dir = "/", .keyring = -1 }, "folders" },
	{ &lab, { "Inspect", .dir = "/srv/rr", .keyring = -1 }, "folders" },
	{ &lab, { "Begin", .suite = "jammy", .keyring = -1 }, NULL },
	{ &lab, { "Begin", .suite = "noble", .keyring = -1 }, "releases" },
	{ &lab, { "Package", .package = "bash", .keyring = -1 }, NULL },
	{ &lab, { "Package", .package = "sudo", .keyring = -1 }, "deny-packages" },
	{ &lab, { "Package", .package = "libc6-dev", .keyring = -1 }, "deny-packages" },
	{ &lab, { "Bootstrap", .engine = "debootstrap", .keyring = -1 }, NULL },
	{ &lab, { "Bootstrap", .engine = "native", .keyring = -1 }, "engines" },
	{ &lab, { "Execute", .keyring = -1 }, "operations" },
	{ &lab, { "Remove", .keyring = -1 }, "operations" },
	{ &lab, { "Publish", .keyring = -1 }, NULL },
	{ &lab, { "Publish", .keyring = -1, .mode = 0700 }, NULL },
	{ &lab, { "Publish", .keyring = -1, .mode = 0755 }, "tree-modes" },
	{ &numbered, { "Open", .dir = "/srv/r/a", .keyring = -1 }, NULL },
	{ &lab, { "Open", .dir = "/home/lab", .keyring = -1 }, "folders" },
	{ &lab, { "Publish", .keyring = -1, .replaces = true }, "operations" },
	{ &lab, { "Release", .keyring = -1 }, NULL },
	{ &lab, { "Release", .keyring = -1, .older = OLDER_RELEASE }, "older-releases" },
	{ &lab, { "Repository", .keyring = 0 }, "repository-keyrings" },
	{ &lab, { "Release", .keyring = -1, .older = DATED_ARCHIVE }, "older-releases" },
	{ &lab, { "NoSuchRequest", .keyring = -1 }, "operations" },
	{ &numbered, { "Inspect", .keyring = -1 }, NULL },
	/* A user without a home has no ~. */
	{ &numbered, { "Inspect", .dir = "/trees/x", .keyring = -1 }, "folders" },
	{ &member, { "Execute", .keyring = -1 }, NULL },
	{ &member, { "Inspect", .keyring = -1 }, "operations" },
	{ &daemons, { "Inspect", .keyring = -1 }, NULL },
	{ &daemons, { "Execute", .keyring = -1 }, "operations" },
	{ &primary, { "Inspect", .keyring = -1 }, NULL },
	{ &zero, { "Inspect", .keyring = -1 }, "no section" },
	{ &stranger, { "Hello", .keyring = -1 }, "no section" },
	{ &stranger, { "Inspect", .keyring = -1 }, "no section" },
};

static void check_questions(void)
{
	_cleanup_(policy_free) struct policy *policy = parse(policy_text);

	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		const char *rule = questions[i].rule;
		struct decision d;
		struct grant g;

		grant_make(&g, policy, questions[i].caller, NULL);
		policy_decide_request(&g, &questions[i].question, &d);
		tap_check(d.allowed == !rule && (!rule || (strstr(d.rule, rule) && *d.why)),
			  "question %zu, %s of %s: %s", i, questions[i].question.request,
			  questions[i].caller->name, rule ? rule : "allowed");
	}
}

static int fail(void)
{
	return -1;
}

/* Not "none", and not root: a rule that names a group must neither be skipped nor match because a
 * server is down. */
static void check_unknown_group(void)
{
	_cleanup_(policy_free) struct policy *policy = parse(policy_text);
	_cleanup_error_ struct error *err = NULL;
	struct caller caller = zero;
	struct grant g;

	caller.isolate = fail;
	tap_check(grant_make(&g, policy, &caller, &err) == -1 && !g.rule && err &&
			  err->code == ERR_HOST,
		  "a group whose lookup fails");
}

static void check_files(void)
{
	_cleanup_(policy_free) struct policy *policy = parse(policy_text);
	int right = open("/etc/passwd", O_RDONLY), wrong = open("/etc/group", O_RDONLY);
	struct question q = { "Begin", .suite = "jammy", .keyring = right };
	struct decision d;
	struct grant g;

	grant_make(&g, policy, &lab, NULL);
	policy_decide_request(&g, &q, &d);
	tap_check(d.allowed, "the named keyring is allowed");
	q.keyring = wrong;
	policy_decide_request(&g, &q, &d);
	tap_check(!d.allowed && strstr(d.rule, "keyrings"), "another keyring");
	q.keyring = INT_MAX;
	policy_decide_request(&g, &q, &d);
	tap_check(!d.allowed && strstr(d.rule, "keyrings"),
		  "a keyring that is not open is refused");
	close(right);
	close(wrong);
	policy_decide_mirror(&g, "https://good.example/ubuntu/x", &d);
	tap_check(d.allowed, "a named mirror is allowed");
	policy_decide_mirror(&g, "https://good.example/ubuntu", &d);
	tap_check(d.allowed, "exactly the named mirror is allowed");
	policy_decide_mirror(&g, "https://good.example/ubuntu.evil", &d);
	tap_check(!d.allowed, "a mirror with a named prefix is refused");
}

static void check_mirrors(void)
{
	static const struct {
		const char *mirror;
		bool allowed;
	} rows[] = { { "https://a.example", true },
		     { "https://a.example/x", true },
		     { "https://a.examples", false },
		     { "https://b.example/", false } };
	_cleanup_(policy_free) struct policy *policy = parse(
		LAB "mirrors = https://a.example//\n[allow all]\nusers = other\nmirrors = *\n");
	struct decision d;
	struct grant g;

	grant_make(&g, policy, &lab, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		policy_decide_mirror(&g, rows[i].mirror, &d);
		tap_check(d.allowed == rows[i].allowed, "a mirror with trailing slashes, %s",
			  rows[i].mirror);
	}
	grant_make(&g, policy, &numbered, NULL);
	policy_decide_mirror(&g, "http://any.example", &d);
	tap_check(d.allowed, "any mirror");
	grant_make(&g, policy, &stranger, NULL);
	policy_decide_mirror(&g, "http://any.example", &d);
	tap_check(!d.allowed, "no mirror without a section");
}

/* The rules as shown by the front end and stored with snapshots. */
static void check_values(void)
{
	static const struct {
		const char *key, *value;
	} rows[] = { { "users", "lab other" },	  { "max-size", "512M" },
		     { "max-count", "none" },	  { "max-seconds", "3600" },
		     { "older-releases", "yes" }, { "max-memory", "1025" } };
	_cleanup_(policy_free) struct policy *policy =
		parse("[allow lab]\nusers = lab other\nmax-size = 512M\nmax-count = none\n"
		      "max-seconds = 3600\nolder-releases = yes\nmax-memory = 1025\n"
		      "releases = jammy noble\n");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t k = 0; k < policy_key_count; k++) {
			const struct policy_key *key = &policy_keys[k];
			_cleanup_free_ char *value = NULL;

			if (strcmp(key->section, "allow") != 0 ||
			    strcmp(key->name, rows[i].key) != 0)
				continue;
			value = policy_rule_value(policy->rules, key);
			tap_check(tap_same(value, rows[i].value), "%s = %s", key->name, value);
		}
	for (size_t k = 0; k < policy_key_count; k++)
		if (strcmp(policy_keys[k].section, "audit") == 0) {
			_cleanup_free_ char *value =
				policy_rule_value(policy->rules, &policy_keys[k]);

			tap_check(!value, "%s is not part of a rule", policy_keys[k].name);
		}
}

/* Snapshots are bound to the hash of what a rule allows a rootfs to be made of. */
static void check_content(void)
{
	static const struct {
		const char *changed; /* in [allow lab] */
		bool same;
		const char *what;
	} rows[] = {
		{ "releases = jammy noble\nusers = lab", true, "users" },
		{ "releases = jammy noble\nusers = other\nmax-size = 1G", true, "limits" },
		{ "releases = jammynoble\nusers = other", false, "where words end" },
		{ "releases = noble\nusers = other", false, "releases" },
		{ "releases = jammy noble\nusers = other\nmirrors = http://a/", false, "mirrors" },
		{ "releases = jammy noble\nusers = other\nkeyrings = /a", false, "keyrings" },
		{ "releases = jammy noble\nusers = other\ndeny-packages = a", false, "packages" },
		{ "releases = jammy noble\nusers = other\nengines = native", false, "engines" },
		{ "releases = jammy noble\nusers = other\nrepository-keyrings = /a", false,
		  "keyrings of repositories" },
		{ "releases = jammy noble\nusers = other\nolder-releases = yes", false,
		  "older releases" },
	};
	_cleanup_(policy_free) struct policy *policy =
		parse("[allow lab]\nreleases = jammy noble\nusers = other\n");
	char want[2 * SHA256_LEN + 1], have[sizeof(want)];

	policy_rule_content(policy->rules, want);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(policy_free) struct policy *other = NULL;
		_cleanup_free_ char *text = NULL;

		if (asprintf(&text, "[allow lab]\n%s\n", rows[i].changed) < 0)
			abort();
		other = parse(text);
		policy_rule_content(other->rules, have);
		tap_check((strcmp(have, want) == 0) == rows[i].same, "a snapshot %s on %s",
			  rows[i].same ? "does not depend" : "depends", rows[i].what);
	}
}

static int make_file(const char *path, uid_t owner)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || fchown(fd, owner, owner) < 0)
		abort();
	return fd;
}

/* Whether a keyring at PATH, which FD is open on, may be used if EXCHANGED replaces it (NULL:
 * nothing does) after the policy was read. */
static bool takes_keyring(const char *path, int fd, const char *exchanged)
{
	struct question q = { "Begin", .suite = "jammy", .keyring = fd };
	char text[256];
	struct decision d;
	struct grant g;

	snprintf(text, sizeof(text), LAB "keyrings = %s\n", path);
	_cleanup_(policy_free) struct policy *policy = parse(text);
	grant_make(&g, policy, &lab, NULL);
	if (exchanged && rename(exchanged, path) < 0)
		abort();
	policy_decide_request(&g, &q, &d);
	return d.allowed;
}

static void check_keyrings(void)
{
	char dir[SCRATCH_SIZE] = "keyrings";
	char path[256], other[256];
	int fd, second;

	if (geteuid() != 0) {
		tap_check(true, "replaced keyrings # SKIP needs root to own them");
		return;
	}
	if (!scratch_make(dir))
		abort();
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(other, sizeof(other), "%s/b", dir);
	fd = make_file(path, 0);
	second = make_file(other, 0);
	tap_check(takes_keyring(path, fd, NULL), "root's keyring is accepted");
	tap_check(!takes_keyring(path, second, NULL), "another file of root is refused");
	tap_check(!takes_keyring(path, fd, other), "a keyring replaced in the meantime is refused");
	close(fd);
	tap_check(takes_keyring(path, second, NULL), "the file that now has the name is accepted");
	close(second);
	unlink(path);
	fd = make_file(path, 1000);
	tap_check(!takes_keyring(path, fd, NULL), "a keyring not owned by root is refused");
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void check_limits(void)
{
	_cleanup_(policy_free) struct policy *policy = parse(policy_text);
	struct decision d;
	struct grant g;

	grant_make(&g, policy, &lab, NULL);
	policy_decide_limit(&g, "max-count", 3, 3, &d);
	tap_check(d.allowed, "the limit itself is allowed");
	policy_decide_limit(&g, "max-count", 3, 4, &d);
	tap_check(!d.allowed && strstr(d.why, "4 (maximum: 3)"), "more than the limit is refused");
	policy_decide_limit(&g, "max-count", POLICY_NONE, UINT64_MAX, &d);
	tap_check(d.allowed, "everything is allowed without a limit");
}

static void check_ranges(void)
{
	_cleanup_(policy_free) struct policy *policy =
		parse(LAB "[ids]\nuids = 1000-1001\nfirst = 300000\nuser lab = 900000\n");
	struct caller other = { .uid = 1001, .name = "lab2" };
	uint32_t first = 0;
	struct grant g;

	grant_make(&g, policy, &lab, NULL);
	tap_check(policy_range(&g, &first, NULL) == 0 && first == 900000, "a range by name");
	g.caller = other;
	tap_check(policy_range(&g, &first, NULL) == 0 && first == 365536, "a range by uid");
	g.caller.uid = 1002;
	tap_check(policy_range(&g, &first, NULL) < 0, "no range for a uid above the span");
	g.caller.uid = 999;
	tap_check(policy_range(&g, &first, NULL) < 0, "no range for a uid below the span");
	grant_make(&g, policy, &stranger, NULL);
	tap_check(policy_range(&g, &first, NULL) < 0, "no range without a section");
}

static void check_open(void)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct question q = { "Begin", .suite = "x", .dir = "/anywhere", .keyring = 0 };
	struct decision d;
	struct grant g;

	if (policy_load("/nowhere/policy.conf", false, &policy, NULL) < 0 || !policy)
		exit(1);
	tap_check(!policy->path, "a missing file gives a policy without a path");
	grant_make(&g, policy, &stranger, NULL);
	policy_decide_request(&g, &q, &d);
	tap_check(d.allowed && strcmp(d.rule, "no policy") == 0,
		  "without a policy, everything is allowed");
	tap_check(!policy->required && !policy->journal && strcmp(policy->file, "none") == 0,
		  "without a policy, no backend is named");
}

/* A protocol request missing from the table could never be allowed. */
static void check_operations(void)
{
	const ProtobufCMessageDescriptor *requests = &rootlet__request__descriptor;

	tap_check(requests->n_fields == operation_count, "as many operations as requests");
	for (unsigned i = 0; i < requests->n_fields; i++) {
		const ProtobufCMessageDescriptor *of = requests->fields[i].descriptor;

		tap_check(operation_find(of->short_name) != NULL, "%s has an operation",
			  of->short_name);
	}
}

static char *read_example(void)
{
	static char text[65536];
	int fd = open(POLICY_EXAMPLE, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	close(fd);
	return n > 0 ? text : NULL;
}

/* The example has every key with the code's default, and no other keys. */
static void check_example(void)
{
	char *example = read_example(), line[1024];
	_cleanup_error_ struct error *err = NULL;
	struct policy *policy = NULL;
	size_t lines = 0;

	if (!example) {
		tap_check(false, "policy.conf.example can be read");
		return;
	}
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];

		snprintf(line, sizeof(line), "\n%s =%s%s\n", key->name, *key->preset ? " " : "",
			 key->preset);
		tap_check(strstr(example, line) != NULL, "the example has: %.*s",
			  (int)strlen(line) - 2, line + 1);
	}
	for (const char *at = example; (at = strchr(at, '\n')); at++)
		lines += at[1] >= 'a' && at[1] <= 'z';
	tap_check(lines == policy_key_count, "the example has no other key: %zu of %zu", lines,
		  policy_key_count);
	tap_check(policy_parse("example", example, &policy, &err) == 0,
		  "the example is accepted: %s", err ? err->message : "");
	policy_free(&policy);
}

static int load_text(const char *path, const void *text, size_t size, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	_cleanup_close_ int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0 || write_all(fd, text, size) < 0)
		abort();
	return policy_load(path, true, &policy, err);
}

/* Another user's file is refused anyway. */
static void check_roots(const char *dir, const char *path)
{
	static char large[256 * 1024];
	struct error *err = NULL;

	if (geteuid() != 0) {
		tap_check(true, "root's file # SKIP needs root to own it");
		return;
	}
	tap_check(load_text(path, LAB, strlen(LAB), &err) == 0, "root's file is accepted");
	tap_check(load_text(path, LAB "\0x", strlen(LAB) + 2, &err) < 0 &&
			  strstr(err->message, "NUL bytes"),
		  "a file with a NUL byte is refused");
	error_free(&err);
	memset(large, '\n', sizeof(large));
	tap_check(load_text(path, large, sizeof(large) - 1, &err) == 0,
		  "a file of almost 256 KiB is accepted");
	tap_check(load_text(path, large, sizeof(large), &err) < 0 &&
			  strstr(err->message, "too long"),
		  "a larger file is refused");
	error_free(&err);
	chmod(dir, 0775);
	tap_check(load_text(path, LAB, strlen(LAB), &err) < 0 && err->code == ERR_HOST,
		  "a file in a world-writable directory is refused");
	error_free(&err);
	chmod(dir, 0700);
}

static void check_loading(void)
{
	static const mode_t modes[] = { 0666, 0664, 0646 };
	char dir[SCRATCH_SIZE] = "policy", path[256];
	struct policy *policy = NULL;
	struct error *err = NULL;
	int fd;

	if (!scratch_make(dir))
		exit(1);
	snprintf(path, sizeof(path), "%s/policy.conf", dir);
	tap_check(policy_load(path, false, &policy, &err) == 0 && !policy->path,
		  "a missing file means no policy");
	policy_free(&policy);
	tap_check(policy_load(path, true, &policy, &err) < 0 && err->code == ERR_REFUSED,
		  "a missing file is refused if one is required");
	error_free(&err);
	fd = open(path, O_CREAT | O_WRONLY, 0666);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		fchmod(fd, modes[i]);
		tap_check(policy_load(path, false, &policy, &err) < 0 && err->code == ERR_HOST,
			  "a file of mode %o is refused", modes[i]);
		error_free(&err);
	}
	close(fd);
	unlink(path);
	check_roots(dir, path);
	unlink(path);
	if (symlink("/etc/passwd", path) < 0)
		exit(1);
	tap_check(policy_load(path, false, &policy, &err) < 0, "a symlink in its place is refused");
	error_free(&err);
	unlink(path);
	if (mkfifo(path, 0600) < 0)
		exit(1);
	tap_check(policy_load(path, false, &policy, &err) < 0, "a FIFO in its place is refused");
	error_free(&err);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	check_texts();
	check_long_line();
	check_mirrors();
	check_values();
	check_content();
	check_questions();
	check_unknown_group();
	check_files();
	check_keyrings();
	check_limits();
	check_ranges();
	check_open();
	check_operations();
	check_example();
	check_loading();
	return tap_done();
}
