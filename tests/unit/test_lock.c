/* frontend/rootfs/lock.c: what a lock may contain, and how the packages that were chosen are
 * compared with it. */
#include "frontend/rootfs/lock.h"

#include <string.h>

#include "tap.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define DATE "2026-01-02T03:04:05Z"
#define PACKAGE(name, version, arch)                                                               \
	"\"" name "\":{\"version\":\"" version "\",\"arch\":\"" arch "\",\"sha256\":\"" ZEROS      \
	"\",\"source\":\"" name "\",\"source_version\":\"" version "\"}"
#define GROUP "{\"name\":\"g\",\"gid\":1002}"
#define USER                                                                                       \
	"{\"name\":\"u\",\"uid\":1000,\"gid\":1002,\"home\":\"/home/u\",\"shell\":\"/bin/sh\","    \
	"\"groups\":[\"g\"]}"
#define PROFILE                                                                                    \
	"{\"name\":\"test\",\"sha256\":\"" ZEROS "\",\"requested\":[\"bash\",\"a1|b2\"],"          \
	"\"optional\":[],\"left_out\":[],\"filters\":[\"-/usr/share/doc/*\"],\"groups\":[" GROUP   \
	"],\"users\":[" USER "]}"
#define RELEASE                                                                                    \
	"{\"pocket\":\"\",\"mirror\":\"http://x\",\"date\":\"" DATE "\",\"sha256\":\"" ZEROS "\"}"
#define LOCK                                                                                       \
	"{\"lock\":1,\"epoch\":\"" DATE "\",\"distribution\":\"Debian\",\"suite\":\"bookworm\","   \
	"\"arch\":\"amd64\",\"mirror\":\"http://x\",\"engine\":\"native\",\"components\":["        \
	"\"main\"],\"releases\":[" RELEASE "],\"profile\":" PROFILE ",\"packages\":{" PACKAGE(     \
		"bash", "5-1", "amd64") "," PACKAGE("base-files", "12", "all") "}}"

#define REPOSITORY(items) "\"repositories\":[" items "],"
#define REPOSITORY_ITEM                                                                            \
	"{\"mirror\":\"http://x\",\"suite\":\"s\",\"components\":[\"c\"],\"keyring\":\"/k\"}"
#define REPOSITORY_FIVE                                                                            \
	REPOSITORY_ITEM "," REPOSITORY_ITEM "," REPOSITORY_ITEM "," REPOSITORY_ITEM                \
			"," REPOSITORY_ITEM

/* LOCK with the first FROM replaced by TO. */
static const struct {
	const char *what, *from, *to;
	const char *says; /* NULL: accepted */
} rows[] = {
	{ "a lock", "", "", NULL },
	{ "not JSON", "{\"lock\"", "lock", "FILE, line 1: " },
	{ "half a lock", ",\"releases\"", "", "FILE, line 1: " },
	{ "a field twice", "\"arch\":\"amd64\"", "\"arch\":\"amd64\",\"arch\":\"amd64\"",
	  "FILE, line 1: " },
	{ "an array", "{\"lock\"", "[{\"lock\"", "FILE, line 1: " },
	{ "not a lock", "\"lock\"", "\"format\"", "FILE is not a lock: " },
	{ "a later format", "\"lock\":1", "\"lock\":2", "format 2 of a lock is not supported" },
	{ "an unknown field", "\"arch\"", "\"x\":1,\"arch\"", "unknown field \"x\" in the lock" },
	{ "an unknown field with a long name", "\"arch\"", "\"" ZEROS ZEROS ZEROS "\":1,\"arch\"",
	  "unknown field \"0000" },
	{ "a field that is part of known names", "\"arch\"", "\"epoch distribution\":1,\"arch\"",
	  "unknown field \"epoch distribution\"" },
	{ "an unknown field of a release", "{\"pocket\"", "{\"x\":1,\"pocket\"",
	  "unknown field \"x\" in a release" },
	{ "an unknown field of the profile", "\"optional\"", "\"x\":1,\"optional\"",
	  "unknown field \"x\" in profile" },
	{ "an unknown field of a group", "{\"name\":\"g\"", "{\"x\":1,\"name\":\"g\"",
	  "unknown field \"x\" in a group" },
	{ "an unknown field of a user", "\"shell\"", "\"x\":1,\"shell\"",
	  "unknown field \"x\" in a user" },
	{ "an unknown field of a package", "\"source\"", "\"x\":1,\"source\"",
	  "unknown field \"x\" in package bash" },
	{ "a suite that is a path", "bookworm", "../x", "suite, arch, mirror or engine" },
	{ "another engine", "native", "other", "suite, arch, mirror or engine" },
	{ "a mirror that is no URL", "\"arch\":\"amd64\",\"mirror\":\"http://x\"",
	  "\"arch\":\"amd64\",\"mirror\":\"x\"", "suite, arch, mirror or engine" },
	{ "a repository", "\"releases\"", REPOSITORY(REPOSITORY_ITEM) "\"releases\"", NULL },
	{ "eleven repositories", "\"releases\"",
	  REPOSITORY(REPOSITORY_ITEM "," REPOSITORY_FIVE "," REPOSITORY_FIVE) "\"releases\"",
	  "repositories is missing" },
	{ "a repository without a keyring", "\"releases\"",
	  REPOSITORY("{\"mirror\":\"http://x\",\"suite\":\"s\",\"components\":[\"c\"]}") "\"release"
											 "s\"",
	  "repositories is missing" },
	{ "a repository with a relative keyring", "\"releases\"",
	  REPOSITORY("{\"mirror\":\"http://x\",\"suite\":\"s\",\"components\":[\"c\"],"
		     "\"keyring\":\"k\"}") "\"releases\"",
	  "repositories is missing" },
	{ "a repository without components", "\"releases\"",
	  REPOSITORY("{\"mirror\":\"http://x\",\"suite\":\"s\",\"components\":[],"
		     "\"keyring\":\"/k\"}") "\"releases\"",
	  "repositories is missing" },
	{ "an unknown field of a repository", "\"releases\"",
	  REPOSITORY("{\"x\":1}") "\"releases\"", "unknown field \"x\" in a repository" },
	{ "a package of repository 0", "\"source\"", "\"repository\":0,\"source\"",
	  "a field of package bash is missing" },
	{ "a package of repository 11", "\"source\"", "\"repository\":11,\"source\"",
	  "a field of package bash is missing" },
	{ "a release file of a repository", "\"pocket\":\"\"", "\"pocket\":\"repository-10\"",
	  NULL },
	{ "a release file of an eleventh", "\"pocket\":\"\"", "\"pocket\":\"repository-11\"",
	  "releases is missing" },
	{ "a dated archive", "\"engine\"", "\"dated\":\"2024-03-01T03:04:00Z\",\"engine\"", NULL },
	{ "an archive of no date", "\"engine\"", "\"dated\":\"soon\",\"engine\"",
	  "dated is missing or malformed" },
	{ "an archive from before 1970", "\"engine\"",
	  "\"dated\":\"1969-03-01T03:04:00Z\",\"engine\"", "dated is missing or malformed" },
	{ "no components", "[\"main\"]", "[]", "components is missing" },
	{ "no releases", "[" RELEASE "]", "[]", "releases is missing" },
	{ "an unknown pocket", "\"pocket\":\"\"", "\"pocket\":\"other\"", "releases is missing" },
	{ "a short hash of a release", ZEROS "\"}]", "00\"}]", "releases is missing" },
	{ "another epoch", "\"epoch\":\"" DATE, "\"epoch\":\"2026-01-02T03:04:06Z",
	  "epoch is not the date" },
	{ "an epoch that is no time", "\"epoch\":\"" DATE, "\"epoch\":\"now",
	  "epoch is not the date" },
	{ "a requested package with a slash", "a1|b2", "a1|../b2", "a list of packages" },
	{ "a relative filter", "-/usr", "-usr", "filters of profile" },
	{ "a group that is root", "\"gid\":1002}", "\"gid\":0}", "groups of profile" },
	{ "a home with a colon", "/home/u", "/home:u", "users of profile" },
	{ "a user without groups", ",\"groups\":[\"g\"]}", "}", "users of profile" },
	{ "one package", PACKAGE("bash", "5-1", "amd64") ",", "", NULL },
	{ "no packages", PACKAGE("bash", "5-1", "amd64") "," PACKAGE("base-files", "12", "all"), "",
	  "packages is missing" },
	{ "packages without hashes", PACKAGE("bash", "5-1", "amd64"), "\"bash\":\"5-1\"",
	  "a field of package bash is missing" },
	{ "a short hash of a package", ZEROS "\",\"source\"", "00\",\"source\"",
	  "a field of package bash is missing" },
	{ "a package whose name is a path", "\"base-files\":{", "\"../x\":{",
	  "packages is missing or malformed" },
	{ "a package of another architecture", "\"5-1\",\"arch\":\"amd64\"",
	  "\"5-1\",\"arch\":\"i386\"",
	  "package bash is of architecture i386, but the lock is of amd64" },
};

static char *edit(const char *from, const char *to)
{
	const char *at = strstr(LOCK, from);
	char *text = NULL;

	if (!at)
		return NULL;
	/* An empty replacement of something ends the text: half a lock. */
	if (asprintf(&text, "%.*s%s%s", (int)(at - LOCK), LOCK, to,
		     *from && !*to && *from == ',' ? "" : at + strlen(from)) < 0)
		return NULL;
	return text;
}

static void check_reading(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(manifest_free) struct manifest *lock = NULL;
		_cleanup_error_ struct error *err = NULL;
		_cleanup_free_ char *text = edit(rows[i].from, rows[i].to);
		int r = text ? lock_parse(text, strlen(text), "FILE", &lock, &err) : -2;

		if (!rows[i].says)
			tap_check(r == 0 && !err, "accepted: %s", rows[i].what);
		else
			tap_check(r == -1 && err && err->code == ERR_INPUT &&
					  strstr(err->message, rows[i].says),
				  "refused: %s: %s", rows[i].what, err ? err->message : "taken");
	}
}

/* What is read can be written again. */
static void check_writing(void)
{
	_cleanup_(manifest_free) struct manifest *lock = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;
	char one[2 * SHA256_LEN + 1] = "", other[2 * SHA256_LEN + 1] = "";

	tap_check(lock_parse(LOCK, strlen(LOCK), "FILE", &lock, NULL) == 0 &&
			  lock_compose(lock, "/x", &text, NULL) == 0 &&
			  lock_parse(text, strlen(text), "FILE", &again, NULL) == 0,
		  "a lock that was read can be written and read again");
	if (!again)
		return;
	tap_check(lock->generation == 1, "it is of the first generation");
	tap_check(lock->created == 1767323045 && lock->count == 0 &&
			  lock->package_count == again->package_count && lock->user_count == 1 &&
			  lock->filter_count == 1,
		  "a lock has an epoch, and no range of ids");
	tap_check(lock_digest(lock, one) == 0 && lock_digest(again, other) == 0 &&
			  strlen(one) == 64 && strcmp(one, other) == 0,
		  "it has the same digest");
	again->packages[0].version[0] = '6';
	tap_check(lock_digest(again, other) == 0 && strcmp(one, other) != 0,
		  "the digest depends on the packages");
}

static void check_comparison(void)
{
	static const char both[] = "bash";
	struct package packages[] = {
		{ .name = (char *)(uintptr_t) "base-files",
		  .version = (char *)(uintptr_t) "12",
		  .arch = (char *)(uintptr_t) "all",
		  .source = (char *)(uintptr_t) "base-files",
		  .source_version = (char *)(uintptr_t) "12" },
		{ .name = (char *)(uintptr_t)both,
		  .version = (char *)(uintptr_t) "5-1",
		  .arch = (char *)(uintptr_t) "amd64",
		  .source = (char *)(uintptr_t)both,
		  .source_version = (char *)(uintptr_t) "5-1" },
	};
	struct package_set set = { .packages = packages, .package_count = 2 };
	static const struct {
		const char *what;
		size_t offset;
		const char *value, *says;
	} differences[] = {
		{ "another version", offsetof(struct package, version), "5-2",
		  "package bash differs from the lock: it is 5-2 of amd64" },
		{ "another architecture", offsetof(struct package, arch), "all",
		  "it is 5-1 of all instead of 5-1 of amd64" },
		{ "another source", offsetof(struct package, source), "sh",
		  "its source is sh 5-1 instead of bash 5-1" },
		{ "another version of the source", offsetof(struct package, source_version), "5",
		  "its source is bash 5 instead of bash 5-1" },
		{ "a package that the lock does not have", offsetof(struct package, name), "zsh",
		  "package zsh is not in the lock" },
		{ "a package twice", offsetof(struct package, name), "base-files",
		  "package base-files is not in the lock twice" },
	};
	_cleanup_(manifest_free) struct manifest *lock = NULL;
	_cleanup_error_ struct error *err = NULL;

	if (lock_parse(LOCK, strlen(LOCK), "FILE", &lock, NULL) < 0)
		return;
	tap_check(lock_compare(lock, &set, NULL) == 0, "the packages of the lock");
	for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++) {
		char **field = (char **)((char *)&packages[1] + differences[i].offset);
		char *old = *field;

		error_free(&err);
		*field = (char *)(uintptr_t)differences[i].value;
		tap_check(lock_compare(lock, &set, &err) < 0 && err->code == ERR_TRUST &&
				  strstr(err->message, differences[i].says),
			  "%s: %s", differences[i].what, error_text(err));
		*field = old;
	}
	error_free(&err);
	packages[1].sha256[31] = 1;
	tap_check(lock_compare(lock, &set, &err) < 0 && strstr(err->message, "its SHA-256 is 0"),
		  "another hash: %s", error_text(err));
	packages[1].sha256[31] = 0;
	set.package_count = 1;
	tap_check(lock_compare(lock, &set, NULL) < 0, "a package less");
}

int main(void)
{
	check_reading();
	check_writing();
	check_comparison();
	return tap_done();
}
