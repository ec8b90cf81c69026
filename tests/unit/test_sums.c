/* frontend/archive/sums.c: any change in a directory is found; files that were only touched do not
 * count as damaged, and are read once. */
#include "frontend/archive/sums.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

/* Runs in its own directory. One name has two lines; one directory name is the prefix of a file
 * name. */
#define MAKE                                                                                       \
	"rm -rf .sums * .hidden; mkdir -p boot a/empty; printf kernel >boot/vmlinuz; "             \
	"printf x >boot/config; printf y >a.c; printf z >'two\nlines'; ln -s ../boot a/link; "     \
	"printf p >a/run; chmod 755 a/run; printf h >.hidden; "
/* In place, keeping the old mtime. */
#define FLIP(file, text)                                                                           \
	"touch -r " file " /tmp/rootlet-sums.$$; printf " text " >" file                           \
	"; touch -r /tmp/rootlet-sums.$$ " file "; rm /tmp/rootlet-sums.$$"

static const struct {
	const char *what, *script, *says;
} damages[] = {
	{ "a bit of a file", FLIP("boot/vmlinuz", "kErnel"), "boot/vmlinuz has changed" },
	{ "a bit of a hidden file", FLIP(".hidden", "i"), ".hidden has changed" },
	{ "a bit of a file whose name has two lines", FLIP("'two\nlines'", "Z"),
	  "two\\nlines has changed" },
	{ "a truncated file", "printf kerne >boot/vmlinuz", "boot/vmlinuz has changed" },
	{ "a link's target", "ln -sfn ../beet a/link", "a/link has changed" },
	{ "a file for a link", "rm a/link; printf ../boot >a/link", "a/link has changed" },
	{ "a link for a file", "mv a.c b; ln -s b a.c", "a.c has changed" },
	{ "an executable without the bit", "chmod 644 a/run", "a/run has changed" },
	{ "a file with the executable bit", "chmod 755 a.c", "a.c has changed" },
	{ "a missing file", "rm boot/config", "boot/config is missing" },
	{ "the last file is missing", "rm two*", "two\\nlines is missing" },
	{ "a missing directory", "rmdir a/empty", "a/empty is missing" },
	{ "a file more", "printf x >a/more", "a/more was added" },
	{ "an extra file at the end", "printf x >zz", "zz was added" },
	{ "an extra empty directory", "mkdir boot/more", "boot/more was added" },
	{ "an extra pipe", "mkfifo zz", "zz was added" },
	{ "another name", "mv boot/config boot/confih", "boot/config is missing" },
	{ "a link to itself for a file", "rm a.c; ln -s a.c a.c", "a.c has changed" },
	{ "a bit of the sums", "sed -i s/config/confih/ .sums", "boot/confih is missing" },
	{ "a line of the sums", "sed -i /config/d .sums", "boot/config was added" },
	{ "half of the sums", "head -c 200 .sums >x; mv x .sums", "" },
	{ "empty sums", ": >.sums", ".hidden was added" },
	{ "invalid lines in the sums", "printf '#\\n# \\n# x\\n' >.sums", "" },
	{ "missing sums", "rm .sums", "its checksums are missing" },
};

static bool run(const char *script)
{
	return system(script) == 0; /* NOLINT: a fixed command */
}

static void check_damages(int dir)
{
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		_cleanup_error_ struct error *err = NULL, *checked = NULL;
		bool made = run(MAKE) && sums_write(dir, NULL, NULL) == 0 && run(damages[i].script);
		bool found = sums_verify(dir, NULL, &err) < 0 && err->code == ERR_TRUST &&
			     strstr(err->message, damages[i].says);

		tap_check(made && found, "%s is found: %s", damages[i].what,
			  err ? err->message : "no");
		/* Undamaged data is kept even if only the recorded times are intact. */
		tap_check((sums_check(dir, NULL, &checked) < 0 && checked->code == ERR_TRUST) ||
				  strstr(damages[i].what, "sums"),
			  "damage is found before use");
	}
}

static time_t time_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) < 0 ? -1 : st.st_mtime;
}

static void check_whole(int dir)
{
	tap_check(run(MAKE) && sums_write(dir, NULL, NULL) == 0, "sums are written");
	tap_check(sums_verify(dir, NULL, NULL) == 0, "nothing is damaged");
	tap_check(run("LC_ALL=C sha256sum --check --strict --status .sums"), "sha256sum agrees");
	tap_check(run("touch -d 2001-01-01 .sums") && sums_check(dir, NULL, NULL) == 0 &&
			  time_of(dir, ".sums") < 1000000000,
		  "untouched files are not read");
	tap_check(run("touch boot/vmlinuz; mv a b; mv b a") && sums_check(dir, NULL, NULL) == 0 &&
			  time_of(dir, ".sums") > 1000000000,
		  "touched files are read");
	tap_check(run("touch -d 2001-01-01 .sums") && sums_check(dir, NULL, NULL) == 0 &&
			  time_of(dir, ".sums") < 1000000000,
		  "once");
	tap_check(sums_verify(dir, NULL, NULL) == 0 &&
			  run("test \"$(grep -c times .sums)\" = 1; test ! -e .sums.new"),
		  "the sums are unchanged");
	tap_check(sums_verify_file(dir, "boot/vmlinuz", NULL) == 0, "a single file is undamaged");
	tap_check(run(FLIP("boot/vmlinuz", "kErnel")) &&
			  sums_verify_file(dir, "boot/vmlinuz", NULL) < 0 &&
			  sums_verify_file(dir, "boot/config", NULL) == 0 &&
			  sums_verify_file(dir, "boot/none", NULL) < 0,
		  "and is found to be damaged");
}

static void check_file(int dir)
{
	tap_check(run(MAKE) && sums_write(dir, "a.c", NULL) == 0 &&
			  sums_verify(dir, "a.c", NULL) == 0 && sums_check(dir, "a.c", NULL) == 0,
		  "a file has its own sums");
	tap_check(run("printf n >boot/config") && sums_verify(dir, "a.c", NULL) == 0,
		  "other files do not affect a file's sums");
	sums_touch(dir, "a.c");
	tap_check(run("touch -d 2001-01-01 .a.c.sums") && sums_used(dir, "a.c") < 1000000000 &&
			  sums_used(dir, "b.c") == 0,
		  "the time of the sums is the last use");
	tap_check(run(FLIP("a.c", "Y")) && sums_verify(dir, "a.c", NULL) < 0 &&
			  sums_check(dir, "a.c", NULL) < 0,
		  "a flipped bit in a file is found");
	sums_remove(dir, "a.c");
	tap_check(sums_verify(dir, "a.c", NULL) < 0, "a file without sums counts as damaged");
}

int main(void)
{
	char path[SCRATCH_SIZE] = "sums";
	_cleanup_close_ int dir = -1;

	if (!scratch_make(path) || chdir(path) < 0 ||
	    (dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	check_whole(dir);
	check_damages(dir);
	check_file(dir);
	run("rm -rf \"$PWD\"");
	return tap_done();
}
