/* frontend/vm/overlay.c: the hash of a directory's content. */
#include "frontend/vm/overlay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

static char place[SCRATCH_SIZE] = "overlay";

static void shell(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", place, command);
	if (system(line) != 0) /* NOLINT(cert-env33-c): its own words */
		tap_check(false, "%s", command);
}

/* The hash of the directory NAME. */
static const char *hash_directory(const char *name, struct overlay *o)
{
	_cleanup_error_ struct error *err = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	overlay_clear(o);
	return overlay_open(path, o, &err) == 0 ? o->sha256 : "";
}

static void same_content(void)
{
	struct overlay one = { 0 }, other = { 0 };

	shell("mkdir -p one/usr/sbin && echo a >one/usr/sbin/tool && ln -s tool one/usr/sbin/link");
	shell("cp -r one other && touch -d 2001-01-01 other/usr/sbin/tool && mkdir other/.git");
	tap_check(strlen(hash_directory("one", &one)) == 64, "a directory has a hash");
	tap_check(strcmp(one.sha256, hash_directory("other", &other)) == 0,
		  "times and .git do not change the hash");
	shell("ln -s one link");
	tap_check(strcmp(one.sha256, hash_directory("link", &other)) == 0,
		  "a link to it has the same hash");
	overlay_clear(&one);
	overlay_clear(&other);
}

static void other_content(void)
{
	static const struct {
		const char *what, *change;
	} rows[] = {
		{ "other data", "echo b >two/usr/sbin/tool" },
		{ "another mode", "chmod 700 two/usr/sbin/tool" },
		{ "another name", "mv two/usr/sbin/tool two/usr/sbin/tools" },
		{ "another place", "mv two/usr/sbin/tool two/usr/tool" },
		{ "another target of a link", "ln -sf tools two/usr/sbin/link" },
		{ "an additional empty directory", "mkdir two/usr/bin" },
		{ "a file in place of a link",
		  "rm two/usr/sbin/link; echo -n tool >two/usr/sbin/link" },
	};
	struct overlay one = { 0 }, two = { 0 };

	hash_directory("one", &one);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		shell("rm -rf two && cp -rP one two");
		shell(rows[i].change);
		tap_check(strlen(hash_directory("two", &two)) == 64 &&
				  strcmp(one.sha256, two.sha256) != 0,
			  "another hash: %s", rows[i].what);
	}
	overlay_clear(&one);
	overlay_clear(&two);
}

static void no_content(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct overlay o = { 0 };
	char path[256];

	shell("mkdir three && mkfifo three/pipe");
	snprintf(path, sizeof(path), "%s/three", place);
	tap_check(overlay_open(path, &o, &err) < 0 && err->code == ERR_INPUT &&
			  strstr(err->message, "three/pipe is neither"),
		  "a pipe cannot be in an overlay: %s", error_text(err));
	overlay_clear(&o);
}

int main(void)
{
	if (!scratch_make(place))
		return 1;
	same_content();
	other_content();
	no_content();
	return tap_done();
}
