/* frontend/fstests/check_words.c, and config.c: checks of check's arguments and configuration
 * before a guest starts. */
#include "frontend/fstests/check_words.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/fstests/config.h"
#include "scratch.h"
#include "tap.h"

static char tree[SCRATCH_SIZE] = "words";

#define ROW_MAX 256

static size_t split(const char *text, char copy[static ROW_MAX], char **words)
{
	size_t count = 0;
	char *rest = NULL;

	snprintf(copy, ROW_MAX, "%s", text);
	for (char *word = strtok_r(copy, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
		words[count++] = word;
	words[count] = NULL;
	return count;
}

static const char *join(char *const *words, size_t count)
{
	static char text[1024];

	*text = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "|" : "",
			 words[i]);
	return text;
}

static void wrong(void)
{
	static const struct {
		const char *words, *says; /* NULL: nothing is wrong */
	} rows[] = {
		{ "generic/001", NULL },
		{ "tests/generic/001", NULL },
		{ "generic/*|xfs/???", NULL },
		{ "-g|quick|-x|shutdown|generic/001", NULL },
		{ "-s|one|generic/001|generic/002", NULL },
		{ "-e|generic/9999", NULL },
		{ "-overlay|-R|xunit|generic/001", NULL },
		{ "--new=1|--newer|value|-g|quick", NULL },
		{ "generic/9999", "generic/9999 - unknown test" },
		{ "generic/9|generic/001", "generic/9 - unknown test" },
		{ "xfs/001", "xfs/001 - unknown test" },
		{ "001", "001 - unknown test" },
		{ "generic/001|-x|shutdown", "Arguments before tests, please!" },
		{ "generic/9999|generic/9|-x|shutdown",
		  "generic/9999 - unknown test; generic/9 - unknown test; \"-x\" is misplaced" },
		{ "-g quick", "is one argument; pass two: -- -g quick" },
		{ "-T|-g", "-g needs a value" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		char copy[ROW_MAX], *words[16];
		size_t count = split(rows[i].words, copy, words);
		int result = check_words_test(words, count, tree, &err);

		tap_check(rows[i].says ? err && err->code == ERR_INPUT &&
						 strstr(err->message, rows[i].says)
				       : result == 0,
			  "words %s: %s", rows[i].words, err ? err->message : "fine");
	}
	tap_check(check_words_test((char *[]){ tree }, 1, "/nonexistent", NULL) == 0,
		  "no test is unknown if the tree is missing");
}

static void files(void)
{
	static const struct {
		const char *words, *guest; /* NULL: refused */
	} rows[] = {
		{ "-g|quick", "-g|quick" },
		{ "-E|here|generic/001", "-E|/opt/rootlet/results/rootlet.exclude.1|generic/001" },
		{ "-E|check|-T|-E|here", "-E|/opt/rootlet/results/rootlet.exclude.1|-T|-E|"
					 "/opt/rootlet/results/rootlet.exclude.2" },
		{ "-E|nosuch", NULL },
		{ "-E|/etc", NULL },
		{ "-X|group.list", "-X|group.list" },
		{ "-X|nosuch", NULL },
		{ "-e|here", "-e|here" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		_cleanup_(check_words_clear) struct check_words got = { 0 };
		char copy[ROW_MAX], *words[16];
		size_t count = split(rows[i].words, copy, words);
		int result = check_words_read(words, count, tree, &got, &err);

		tap_check(rows[i].guest ? result == 0 && strcmp(join(got.words, got.count),
								rows[i].guest) == 0
					: err && err->code == ERR_INPUT,
			  "files of %s: %s", rows[i].words, err ? err->message : "taken");
		if (!rows[i].guest || !got.file_count)
			continue;
		tap_check(strcmp(got.files[got.file_count - 1].text, "generic/006\n") == 0,
			  "files of %s: the content", rows[i].words);
	}
}

static void later_boots(void)
{
	static const struct {
		const char *words, *boot;
		bool orders;
	} rows[] = {
		{ "-g|quick|-x|shutdown", "-s|one|generic/001" },
		{ "-r|-i|3|-T|-g|quick", "-T|-s|one|generic/001" },
		{ "-r|-i|3|-T|-g|quick", "-r|-i|3|-T|-s|one|generic/001", true },
		{ "-overlay|-g|quick|-T", "-overlay|-T|-s|one|generic/001" },
		{ "-R|xunit|-E|list|-L|3|generic/00*", "-R|xunit|-L|3|-s|one|generic/001" },
		{ "--new=1|--newer|value|-n", "--new=1|--newer|value|-s|one|generic/001" },
		{ "generic/001|generic/002", "-s|one|generic/001" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(batch_clear) struct batch batch = { 0 };
		char copy[ROW_MAX], *words[16];
		size_t count = split(rows[i].words, copy, words);

		tap_check(batch_add(&batch, "-s") == 0 && batch_add(&batch, "one") == 0 &&
				  batch_add(&batch, "generic/001") == 0 &&
				  check_words_keep(words, count, rows[i].orders, &batch) == 0 &&
				  strcmp(join(batch.words, batch.count), rows[i].boot) == 0,
			  "%s of %s: %s", rows[i].orders ? "what is left" : "a later boot",
			  rows[i].words, join(batch.words, batch.count));
	}
}

static void types(void)
{
	static const struct {
		const char *config, *types, *tested;
	} rows[] = {
		{ NULL, "ext4", "ext4" },
		{ "[a]\nFSTYP=xfs\n[b]\nFSTYP = \"btrfs\" # x\n", "ext4 xfs btrfs", "xfs,btrfs" },
		{ "[a]\nX=1\n[b]\nFSTYP=xfs\n[c]\nFSTYP=xfs\n", "ext4 xfs xfs", "ext4,xfs" },
		{ "FSTYP=${FSTYP:-xfs}\n", "ext4 ${FSTYP:-xfs}", "ext4" },
		{ "export FSTYP='f2fs'\n", "ext4 f2fs", "f2fs" },
		{ "#FSTYP=xfs\nOVL_BASE_FSTYP=xfs\nFSTYPE=xfs\n", "ext4", "ext4" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *got = config_types("ext4", rows[i].config);

		tap_check(tap_same(got, rows[i].types), "filesystems of a configuration: %s", got);
		free(got);
		got = config_tested("ext4", rows[i].config);
		tap_check(tap_same(got, rows[i].tested), "filesystems under test: %s", got);
		free(got);
	}
}

static void section_types(void)
{
	static const char text[] =
		"[a]\nX=1\n[b]\nFSTYP=xfs\n[bc]\nX=1\n[d]\nexport FSTYP='btrfs'\n"
		"[e]\nFSTYP=$OTHER\n";
	static const struct {
		const char *text, *section, *type;
	} rows[] = {
		{ NULL, "", "ext4" },	      { text, "a", "ext4" },  { text, "b", "xfs" },
		{ text, "bc", "xfs" },	      { text, "d", "btrfs" }, { text, "e", "" },
		{ "FSTYP=f2fs", "", "f2fs" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *got = config_section_type("ext4", rows[i].text, rows[i].section);

		tap_check(tap_same(got, rows[i].type), "the filesystem in section \"%s\": %s",
			  rows[i].section, got);
		free(got);
	}
}

static void write_file(const char *name, const char *text)
{
	_cleanup_fclose_ FILE *out = fopen(name, "w");

	tap_check(out && fputs(text, out) >= 0 && fflush(out) == 0, "%s is written", name);
}

int main(void)
{
	if (!scratch_make(tree) || chdir(tree) < 0 || mkdir("tests", 0700) < 0 ||
	    mkdir("tests/generic", 0700) < 0 || mkdir("cwd", 0700) < 0)
		return 1;
	write_file("tests/generic/group.list", "001 auto quick\n002 auto\n");
	write_file("check", "generic/005\n");
	write_file("cwd/here", "generic/006\n");
	if (chdir("cwd") < 0)
		return 1;
	wrong();
	files();
	later_boots();
	types();
	section_types();
	if (chdir(tree) < 0)
		return 1;
	unlink("tests/generic/group.list");
	unlink("check");
	unlink("cwd/here");
	rmdir("tests/generic");
	rmdir("tests");
	rmdir("cwd");
	rmdir(tree);
	return tap_done();
}
