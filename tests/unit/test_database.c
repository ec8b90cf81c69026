/* helper/worker/unpack/database.c: the allowed contents of a package's triggers and conffiles
 * lists, which are written for dpkg to read. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "helper/worker/unpack/unpack_plan.h"
#include "lib/cleanup.h"
#include "lib/write_all.h"

#include "helper/worker/entries.h"
#include "helper/worker/unpack/database.h"
#include "scratch.h"
#include "tap.h"

#define TRIGGERS "var/lib/dpkg/triggers/"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *what, *kind, *list;
	const char *path, *content; /* in the tree afterwards; NULL: it must be missing */
	enum error_code code;
	const char *says;
} rows[] = {
	{ "a trigger by a path", "triggers", "interest /usr/share/man\n", TRIGGERS "File",
	  "/usr/share/man toy\n" },
	{ "a trigger that nobody waits for", "triggers",
	  "interest-noawait /usr/share/man # a comment\n", TRIGGERS "File",
	  "/usr/share/man toy/noawait\n" },
	{ "a trigger by a name", "triggers", "interest a-name\n", TRIGGERS "a-name", "toy\n" },
	{ "an activation", "triggers", "activate a-name\n", TRIGGERS "a-name", NULL },
	{ "a directive without a name", "triggers", "interest\n", TRIGGERS "File", "" },
	{ "a trigger whose name is a path", "triggers", "interest ../info/x\n", NULL, NULL,
	  ERR_PACKAGE, "malformed name of a trigger" },
	{ "a trigger with the name of dpkg's own file", "triggers", "interest File\n", NULL, NULL,
	  ERR_PACKAGE, "malformed name of a trigger" },
	{ "a trigger that is a directory", "triggers", "interest taken\n", NULL, NULL, ERR_SYSTEM,
	  "cannot write dpkg's trigger taken" },
	{ "a conffile", "conffiles", "/etc/toy.conf\n", "etc/toy.conf", "toy.conf\n" },
	{ "a conffile missing from the package", "conffiles", "/etc/none\n", "etc/none", NULL },
	{ "an existing conffile", "conffiles", "/etc/there\n", "etc/there", "there\n" },
	{ "a conffile with a relative path", "conffiles", "etc/toy.conf\n", NULL, NULL, ERR_PACKAGE,
	  "malformed conffiles" },
	{ "a conffile with a long name", "conffiles", "/" X64 X64 X64 X64 "\n", NULL, NULL,
	  ERR_SYSTEM, "cannot put /xxx" },
	{ "a conffile outside the tree", "conffiles", "/../toy.conf\n", NULL, NULL, ERR_SYSTEM,
	  "cannot put /../toy.conf in place" },
	{ "a conffile behind a link", "conffiles", "/link/toy.conf\n", NULL, NULL, ERR_SYSTEM,
	  "cannot put /link/toy.conf in place" },
	{ "a list that is a directory", "list-is-a-directory", "", NULL, NULL, ERR_SYSTEM,
	  "cannot read toy.conffiles" },
};

static char dir[SCRATCH_SIZE] = "database";

static void put(int tree, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(tree, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		abort();
}

static void fill(int tree, size_t row)
{
	char path[256];

	close(tree_make_dirs(tree, "etc"));
	close(tree_make_dirs(tree, DPKG_INFO));
	close(tree_make_dirs(tree, TRIGGERS "taken"));
	put(tree, "etc/toy.conf.dpkg-new", "toy.conf\n");
	put(tree, "etc/there.dpkg-new", "new\n");
	put(tree, "etc/there", "there\n");
	if (symlinkat("etc", tree, "link") < 0)
		abort();
	if (strcmp(rows[row].kind, "list-is-a-directory") == 0) {
		close(tree_make_dirs(tree, DPKG_INFO "/toy.conffiles"));
		return;
	}
	snprintf(path, sizeof(path), DPKG_INFO "/toy.%s", rows[row].kind);
	put(tree, path, rows[row].list);
}

static void check_row(size_t row)
{
	static char control[] = "Package: toy\nVersion: 1\nArchitecture: all\n";
	static struct unpack_plan plan;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = NULL;
	struct layout layout = { .arch = "amd64", .work = -1 };
	char command[256];
	size_t size;
	int r;

	if (mkdir(dir, 0755) < 0)
		abort();
	layout.tree = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fill(layout.tree, row);
	plan.count = 1;
	plan.packages[0] = (struct unpacked_package){
		.name = "toy",
		.state = PACKAGE_UNPACKED,
		.control = control,
		.control_size = strlen(control),
		.base = true,
	};
	r = database_write(&plan, &layout, &err);
	if (rows[row].path)
		text = tree_read_file(layout.tree, rows[row].path, 4096, &size);
	if (rows[row].says)
		tap_check(r == -1 && err && err->code == rows[row].code &&
				  strstr(err->message, rows[row].says),
			  "%s: refused: %s", rows[row].what, err ? err->message : "taken");
	else
		tap_check(r == 0 && tap_same(text, rows[row].content), "%s: %s", rows[row].what,
			  err ? err->message : "taken");
	close(layout.tree);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		abort();
}

int main(void)
{
	if (!scratch_make(dir) || rmdir(dir) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(i);
	return tap_done();
}
