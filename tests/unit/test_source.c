/* frontend/archive/source.c and frontend/archive/apt.c: the mirror, keyring and components for a
 * release.
 */
#include "frontend/archive/source.h"

#include "frontend/archive/mirror_url.h"

#include <sys/stat.h>

#include "scratch.h"
#include "tap.h"

static char dir[SCRATCH_SIZE] = "source";
static char keyring[256];

#define ARCHIVE "http://mirror.example.org/debian"
#define SECURITY "http://mirror.example.org/debian-security"
#define KEYRING "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"

static bool file_write(const char *name, const char *text)
{
	char path[256];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!text)
		return unlink(path) == 0;
	file = fopen(path, "we");
	return file && fputs(text, file) >= 0;
}

/* apt's two formats: a row is a text and its entries, "URI SUITE|…". */
static void check_formats(void)
{
	static const struct {
		const char *what, *text, *entries;
		int (*parse)(const char *text, struct apt_entries *entries);
	} rows[] = {
		{ "one line", "deb http://a/d x main\n", "http://a/d x|", apt_parse_list },
		{ "source packages", "deb-src http://a/d x main\n", "", apt_parse_list },
		{ "a comment", "# deb http://a/d x main\n", "", apt_parse_list },
		{ "a comment at the end", "deb http://a/d x main # y\n", "http://a/d x|",
		  apt_parse_list },
		{ "options", "deb [arch=amd64 signed-by=/k] http://a/d x main", "http://a/d x|",
		  apt_parse_list },
		{ "unterminated options", "deb [arch=amd64 http://a/d x main", "", apt_parse_list },
		{ "too few words", "deb http://a/d\n", "", apt_parse_list },
		{ "no words", "deb \n", "", apt_parse_list },
		{ "a paragraph", "Types: deb\nURIs: http://a/d\nSuites: x\nComponents: main\n",
		  "http://a/d x|", apt_parse_deb822 },
		{ "two suites", "Types: deb\nURIs: http://a/d\nSuites: x x-updates\n",
		  "http://a/d x|http://a/d x-updates|", apt_parse_deb822 },
		{ "a continued line", "Types: deb\nURIs: http://a/d\nSuites: x\n x-updates\n",
		  "http://a/d x|http://a/d x-updates|", apt_parse_deb822 },
		{ "disabled", "Types: deb\nURIs: http://a/d\nSuites: x\nEnabled: no\n", "",
		  apt_parse_deb822 },
		{ "sources only", "Types: deb-src\nURIs: http://a/d\nSuites: x\n", "",
		  apt_parse_deb822 },
		{ "two paragraphs",
		  "Types: deb\nURIs: http://a\nSuites: x\n\n\nTypes: deb deb-src\n"
		  "URIs: http://b\nSuites: y\n",
		  "http://a x|http://b y|", apt_parse_deb822 },
		{ "a comment inside", "Types: deb\n# no\nURIs: http://a/d\nSuites: x\n",
		  "http://a/d x|", apt_parse_deb822 },
		{ "nothing", "", "", apt_parse_deb822 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(apt_entries_clear) struct apt_entries entries = { 0 };
		char found[512] = "";
		int result = rows[i].parse(rows[i].text, &entries);

		for (size_t j = 0; j < entries.count; j++)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s %s|",
				 entries.list[j].uri, entries.list[j].suite);
		tap_check(result == 0 && strcmp(found, rows[i].entries) == 0, "apt: %s",
			  rows[i].what);
	}
}

/* Debian's mirror is the host's own; a third-party one with the same suite does not count. */
static void check_debian(void)
{
	static const struct {
		const char *what, *sources, *suite, *mirror, *security;
	} rows[] = {
		{ "the suite itself",
		  "Types: deb\nURIs: " ARCHIVE "\nSuites: bookworm\n" KEYRING "\n"
		  "Types: deb\nURIs: " SECURITY "\nSuites: bookworm-security\n" KEYRING,
		  "bookworm", ARCHIVE, SECURITY },
		{ "another release of the same archive",
		  "Types: deb\nURIs: " ARCHIVE "\nSuites: bookworm\n" KEYRING, "trixie", ARCHIVE,
		  SECURITY },
		{ "a third-party mirror before it",
		  "Types: deb\nURIs: http://stranger.example.org/apt\nSuites: bookworm\nSigned-By: "
		  "/usr/share/keyrings/stranger.gpg\n\nTypes: deb\nURIs: " ARCHIVE
		  "\nSuites: bookworm\n" KEYRING,
		  "bookworm", ARCHIVE, SECURITY },
		{ "a slash at the end",
		  "Types: deb\nURIs: " ARCHIVE "/\nSuites: bookworm\n" KEYRING, "bookworm", ARCHIVE,
		  SECURITY },
		{ "only a stranger",
		  "Types: deb\nURIs: http://stranger.example.org/apt\nSuites: bookworm\nSigned-By: "
		  "/usr/share/keyrings/stranger.gpg\n",
		  "bookworm", NULL, NULL },
		{ "no mirror", "", "bookworm", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(origin_free) struct origin *origin = NULL;
		_cleanup_error_ struct error *err = NULL;
		struct source source = { .suite = rows[i].suite, .keyring = keyring };
		int result;

		file_write("sources.list.d/test.sources", rows[i].sources);
		result = source_plan(&source, dir, &origin, &err);
		if (rows[i].mirror)
			tap_check(result == 0 && tap_same(origin->mirror, rows[i].mirror) &&
					  tap_same(origin->security[0], rows[i].security) &&
					  tap_same(origin->distribution, "Debian"),
				  "Debian's mirror: %s", rows[i].what);
		else
			tap_check(result == -1 && err && err->code == ERR_HOST &&
					  strstr(err->message, "--mirror"),
				  "Debian's mirror: %s", rows[i].what);
		if (err)
			printf("# %s\n", err->message);
	}
}

static void check_ubuntu(void)
{
	_cleanup_(origin_free) struct origin *origin = NULL;
	struct source source = { .suite = "jammy", .keyring = keyring, .arch = "amd64" };

	tap_check(source_plan(&source, dir, &origin, NULL) == 0 &&
			  tap_same(origin->distribution, "Ubuntu") &&
			  strncmp(origin->mirror, "http://archive.ubuntu.com", 25) == 0,
		  "Ubuntu's mirror is its archive, whatever apt's configuration says");
	tap_check(origin && tap_same(origin->components[0], "main") &&
			  tap_same(origin->components[1], "universe") && !origin->components[2],
		  "Ubuntu's components");
}

/* Valid values of --mirror, and the result. */
static void check_mirrors(void)
{
	static const struct {
		const char *mirror, *url;
	} rows[] = {
		{ "http://a/b", "http://a/b" },
		{ "https://a/b///", "https://a/b" },
		{ "file:///srv/m", "file:///srv/m" },
		{ "/srv/my mirror", "file:///srv/my%20mirror" },
		{ "/srv/a%b", "file:///srv/a%25b" },
		{ "ftp://a/b", NULL },
		{ "srv/m", NULL },
		{ "", NULL },
		{ "http://", NULL },
		{ "http://a/b?c", NULL },
		{ "http://a/b#c", NULL },
		{ "http://a b", NULL },
		{ "http://a\n/b", NULL },
		{ "-x", NULL },
		{ "javascript:x", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		_cleanup_free_ char *url = mirror_url_make(rows[i].mirror, &err);

		tap_check(tap_same(url, rows[i].url) && (url || (err && err->code == ERR_INPUT)),
			  "mirror %zu: %s", i, rows[i].url ? rows[i].url : "refused");
	}
}

/* Values of --snapshot: the mirror and the time, or why not. */
static void check_dated(void)
{
	static const struct {
		const char *suite, *arch, *snapshot;
		const char *mirror, *security; /* NULL: refused */
		int64_t dated;
		const char *says;
	} rows[] = {
		{ "jammy", "amd64", "2024-03-01",
		  "https://snapshot.ubuntu.com/ubuntu/20240301T000000Z",
		  "https://snapshot.ubuntu.com/ubuntu/20240301T000000Z", 1709251200, NULL },
		{ "jammy", "i386", "20240301T030405Z",
		  "https://snapshot.ubuntu.com/ubuntu/20240301T030405Z",
		  "https://snapshot.ubuntu.com/ubuntu/20240301T030405Z", 1709262245, NULL },
		{ "bookworm", "arm64", "20240229",
		  "https://snapshot.debian.org/archive/debian/20240229T000000Z",
		  "https://snapshot.debian.org/archive/debian-security/20240229T000000Z",
		  1709164800, NULL },
		{ "bookworm", "amd64", "http://m:81/archive/debian/20240301T030405Z/",
		  "http://m:81/archive/debian/20240301T030405Z",
		  "http://m:81/archive/debian-security/20240301T030405Z", 1709262245, NULL },
		{ "bookworm", "amd64", "http://m/dated/2024-03-01", "http://m/dated/2024-03-01",
		  NULL, 1709251200, NULL },
		{ "jammy", "arm64", "/srv/my archive/20240301", "file:///srv/my%20archive/20240301",
		  "file:///srv/my%20archive/20240301", 1709251200, NULL },
		{ "jammy", "arm64", "2024-03-01", NULL, NULL, 0, "Ubuntu on arm64" },
		{ "warty", "amd64", "2024-03-01", NULL, NULL, 0, "this release on amd64" },
		{ "jammy", "amd64", "2024-02-30", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "2024-13-01", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "2024-3-1", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "20240301T246000Z", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "20240301T030405", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "20240301T030405+", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "1969-03-01", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "2024/03/01", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", " 2024030", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "yesterday", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "http://m/ubuntu", NULL, NULL, 0, "ends with one" },
		{ "jammy", "amd64", "ftp://m/ubuntu/20240301", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "http://m/20240301?x", NULL, NULL, 0, "neither a date" },
		{ "jammy", "amd64", "2099-01-01", NULL, NULL, 0, "in the future" },
		{ "jammy", "amd64", "http://m/ubuntu/20990101", NULL, NULL, 0, "in the future" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(origin_free) struct origin *origin = NULL;
		_cleanup_error_ struct error *err = NULL;
		struct source source = { .suite = rows[i].suite,
					 .arch = rows[i].arch,
					 .snapshot = rows[i].snapshot,
					 .keyring = keyring };
		int result = source_plan(&source, dir, &origin, &err);
		const char *last = !origin		 ? NULL
				   : origin->security[1] ? origin->security[1]
							 : origin->security[0];

		if (!rows[i].mirror)
			tap_check(result == -1 && err && err->code == ERR_INPUT &&
					  strstr(err->message, rows[i].says),
				  "dated archive \"%s\": refused", rows[i].snapshot);
		else
			tap_check(result == 0 && origin &&
					  tap_same(origin->mirror, rows[i].mirror) &&
					  tap_same(last, rows[i].security ? rows[i].security
									  : rows[i].mirror) &&
					  origin->dated == rows[i].dated,
				  "dated archive \"%s\"", rows[i].snapshot);
		if (err)
			printf("# %s\n", err->message);
	}
}

/* Values of --repository. */
static void check_entries(void)
{
	static const struct {
		const char *entry;
		const char *mirror, *suite, *components, *keyring; /* MIRROR NULL: refused */
	} rows[] = {
		{ "[signed-by=/k] http://a/b stable main", "http://a/b", "stable", "main", "/k" },
		{ "deb [arch=amd64 signed-by=/k] https://a/b/ x main extra", "https://a/b", "x",
		  "main extra", "/k" },
		{ "  [signed-by=/k]\thttp://a  x\tmain ", NULL, NULL, NULL, NULL },
		{ "  [ signed-by=/k ] http://a  x   main ", "http://a", "x", "main", "/k" },
		{ "[signed-by=/k] /srv/a x main", "file:///srv/a", "x", "main", "/k" },
		{ "http://a x main", NULL, NULL, NULL, NULL },
		{ "[arch=amd64] http://a x main", NULL, NULL, NULL, NULL },
		{ "[signed-by=] http://a x main", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k http://a x main", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] http://a x", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] http://a", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k]", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] http://a ./ main", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] http://a / main", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] http://a x ma/in", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] ftp://a x main", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] http://a x main # y", NULL, NULL, NULL, NULL },
		{ "[signed-by=/k] http://a x main\n", NULL, NULL, NULL, NULL },
		{ "deb-src [signed-by=/k] http://a x main", NULL, NULL, NULL, NULL },
		{ "deb", NULL, NULL, NULL, NULL },
		{ "", NULL, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct repository repository;
		_cleanup_error_ struct error *err = NULL;
		int result = repository_parse(rows[i].entry, &repository, &err);
		char components[64] = "";

		for (char **word = repository.components; word && *word; word++)
			snprintf(components + strlen(components),
				 sizeof(components) - strlen(components), "%s%s",
				 *components ? " " : "", *word);
		if (rows[i].mirror)
			tap_check(result == 0 && tap_same(repository.mirror, rows[i].mirror) &&
					  tap_same(repository.suite, rows[i].suite) &&
					  tap_same(components, rows[i].components) &&
					  tap_same(repository.keyring, rows[i].keyring),
				  "repository \"%s\"", rows[i].entry);
		else
			tap_check(result == -1 && err && err->code == ERR_INPUT &&
					  strstr(err->message, "--repository '[signed-by=FILE]"),
				  "repository %zu: refused", i);
		repository_clear(&repository);
	}
}

static void check_words(void)
{
	static const char *const bad_components[] = { "main", "../x", NULL };
	static const struct {
		const char *what;
		struct source source;
		enum error_code code;
	} rows[] = {
		{ "a suite with a slash", { .suite = "a/b" }, ERR_INPUT },
		{ "a suite with a dash before", { .suite = "-a" }, ERR_INPUT },
		{ "an architecture with a slash", { .suite = "jammy", .arch = "a/b" }, ERR_INPUT },
		{ "a component with dots",
		  { .suite = "jammy", .components = bad_components },
		  ERR_INPUT },
		{ "an unknown suite without mirror", { .suite = "warty" }, ERR_INPUT },
		{ "a missing keyring", { .suite = "jammy", .keyring = "/no/such" }, ERR_INPUT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(origin_free) struct origin *origin = NULL;
		_cleanup_error_ struct error *err = NULL;
		struct source source = rows[i].source;

		if (!source.keyring)
			source.keyring = keyring;
		tap_check(source_plan(&source, dir, &origin, &err) == -1 && !origin && err &&
				  err->code == rows[i].code,
			  "refused: %s", rows[i].what);
	}
	for (const char *const *suite = source_suites(); *suite; suite++)
		tap_check(source_distribution(*suite) != NULL, "release %s has a distribution",
			  *suite);
	tap_check(!source_distribution("warty") && !source_distribution(NULL),
		  "an unknown release has none");
}

int main(void)
{
	char parts[256];

	if (!scratch_make(dir))
		return 1;
	snprintf(parts, sizeof(parts), "%s/sources.list.d", dir);
	mkdir(parts, 0700);
	snprintf(keyring, sizeof(keyring), "%s/keyring.gpg", dir);
	file_write("keyring.gpg", "not looked into");
	check_formats();
	check_debian();
	check_ubuntu();
	check_mirrors();
	check_dated();
	check_entries();
	check_words();
	file_write("keyring.gpg", NULL);
	file_write("sources.list.d/test.sources", NULL);
	rmdir(parts);
	rmdir(dir);
	return tap_done();
}
