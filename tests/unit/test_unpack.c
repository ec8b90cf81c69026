/* helper/worker/unpack/deb.c, package.c and extract.c: each kind of package in a separate tree.
 * tests/integration/engines.py compares the results with dpkg's. */
#include "helper/worker/unpack/package.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "helper/worker/entries.h"
#include "helper/worker/tree/walk.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define ENTRIES 8
#define FILES 5
#define HOLE 512u /* bytes */

/* An entry of a tar archive. TYPE: '0' file, '1' hard link, '2' symlink, '5' directory, '6' pipe,
 * '3' device, 'S' GNU tar's sparse file with a hole before its content, 'L' the name of the next
 * entry.
 */
struct entry {
	const char *name, *text; /* content or link target */
	char type;
	unsigned mode, owner;
};

struct row {
	const char *what;
	struct entry entries[ENTRIES];
	int state; /* or -1 */
	enum error_code code;
	const char *says;
	struct entry control[FILES]; /* in addition to the file "control" */
	const char *before;	     /* an existing file in the tree */
};

/* --- archives -------------------------------------------------------------------------------- */

struct buffer {
	unsigned char data[1 << 16];
	size_t used;
};

static void add(struct buffer *b, const void *data, size_t size)
{
	memcpy(b->data + b->used, data, size);
	b->used += size;
}

static void pad(struct buffer *b, size_t to)
{
	while (b->used % to)
		b->data[b->used++] = '\0';
}

/* Format: tar(5), the old POSIX one. */
static void add_entry(struct buffer *b, const struct entry *e)
{
	char head[512] = "";
	const char *text = e->text ? e->text : "";
	size_t size = e->type == '0' || e->type == 'L' || e->type == 'S' ? strlen(text) : 0;
	unsigned sum = 0;

	snprintf(head, 100, "%s", e->name);
	snprintf(head + 100, 8, "%07o", e->mode);
	snprintf(head + 108, 8, "%07o", e->owner);
	snprintf(head + 116, 8, "%07o", e->owner);
	snprintf(head + 124, 12, "%011o", (unsigned)size % (1u << 20));
	snprintf(head + 136, 12, "%011o", 1000000000u);
	memset(head + 148, ' ', 8);
	head[156] = e->type;
	if (e->type == '1' || e->type == '2')
		snprintf(head + 157, 100, "%s", text);
	memcpy(head + 257, "ustar\00000", 8);
	if (e->type == 'S') {
		memcpy(head + 257, "ustar  ", 8);
		snprintf(head + 386, 12, "%011o", HOLE);
		snprintf(head + 398, 12, "%011o", (unsigned)size);
		snprintf(head + 483, 12, "%011o", HOLE + (unsigned)size);
	}
	for (size_t i = 0; i < sizeof(head); i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	add(b, head, sizeof(head));
	add(b, text, size);
	pad(b, 512);
}

static void add_tar(struct buffer *b, const struct entry *entries, size_t count)
{
	static const char end[1024];

	for (size_t i = 0; i < count && entries[i].name; i++)
		add_entry(b, &entries[i]);
	add(b, end, sizeof(end));
}

/* Format: ar(5). */
static void add_member(struct buffer *b, const char *name, const void *data, size_t size)
{
	char head[61];

	snprintf(head, sizeof(head), "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644",
		 size);
	add(b, head, 60);
	add(b, data, size);
	if (size % 2)
		add(b, "\n", 1);
}

static struct buffer deb, part;

static void begin_deb(void)
{
	deb.used = 0;
	add(&deb, "!<arch>\n", 8);
}

static void make_deb(const char *control_text, const struct entry *control,
		     const struct entry *entries)
{
	const struct entry first = { "./control", control_text, '0', 0644, 0 };

	begin_deb();
	add_member(&deb, "debian-binary", "2.0\n", 4);
	add_member(&deb, "_extra", "to be passed over", 17);
	part.used = 0;
	add_entry(&part, &first);
	add_tar(&part, control, FILES);
	add_member(&deb, "control.tar", part.data, part.used);
	part.used = 0;
	add_tar(&part, entries, ENTRIES);
	add_member(&deb, "data.tar", part.data, part.used);
}

/* --- a tree ---------------------------------------------------------------------------------- */

static char dir[SCRATCH_SIZE] = "unpack";

static struct layout begin(const char *before)
{
	struct layout l = { .merged = true, .arch = "amd64" };

	words_append(&l.filters, "-/usr/share/doc/*");
	if (mkdir(dir, 0755) < 0)
		exit(1);
	l.tree = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(tree_make_dirs(l.tree, DPKG_INFO));
	close(tree_make_dirs(l.tree, "usr/bin"));
	close(tree_make_dirs(l.tree, "etc"));
	l.work = tree_make_dirs(l.tree, WORK);
	if (before)
		close(openat(l.tree, before, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return l;
}

static void end(struct layout *l)
{
	close(l->work);
	empty_tree(l->tree, NULL);
	rmdir(dir);
	close(l->tree);
}

static bool contains(const struct layout *l, const char *path, const char *text)
{
	size_t size;
	_cleanup_free_ char *data = tree_read_file(l->tree, path, 1 << 16, &size);
	bool same = data && strcmp(data, text) == 0;

	if (!same)
		printf("# %s: %s\n", path, data ? data : "not there");
	return same;
}

static bool is_there(const struct layout *l, const char *path)
{
	return faccessat(l->tree, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int unpack(const struct layout *l, bool later, struct error **err)
{
	_cleanup_close_ int fd = memfd_create("deb", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, deb.data, deb.used) < 0 || lseek(fd, 0, SEEK_SET) != 0)
		return -1;
	return package_unpack(l, "toy", fd, false, later, err);
}

/* --- rows ------------------------------------------------------------------------------------ */

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64
#define CONTROL "Package: toy\nVersion: 1\nArchitecture: amd64\n"
#define DIRECTORY(path)                                                                            \
	{                                                                                          \
		path, NULL, '5', 0755, 0                                                           \
	}
#define PLAIN(path)                                                                                \
	{                                                                                          \
		path, "content\n", '0', 0644, 0                                                    \
	}

static const struct row rows[] = {
	{ .what = "a file", .entries = { PLAIN("./usr/bin/toy") }, .state = PACKAGE_UNPACKED },
	{ .what = "an existing file",
	  .entries = { PLAIN("./usr/bin/toy") },
	  .before = "usr/bin/toy",
	  .state = PACKAGE_KEPT },
	{ .what = "an existing symlink",
	  .entries = { { "./usr/bin/toy", "x", '2', 0777, 0 } },
	  .before = "usr/bin/toy",
	  .state = PACKAGE_KEPT },
	{ .what = "an existing hard link",
	  .entries = { PLAIN("./usr/bin/a"), { "./usr/bin/toy", "./usr/bin/a", '1', 0644, 0 } },
	  .before = "usr/bin/toy",
	  .state = PACKAGE_KEPT },
	{ .what = "a hard link to a conffile",
	  .entries = { PLAIN("./etc/toy.conf"), { "./etc/b", "./etc/toy.conf", '1', 0644, 0 } },
	  .control = { { "./conffiles", "/etc/toy.conf\n", '0', 0644, 0 } },
	  .state = PACKAGE_KEPT },
	{ .what = "a hard link to an excluded file",
	  .entries = { PLAIN("./usr/share/doc/a"),
		       { "./etc/b", "./usr/share/doc/a", '1', 0644, 0 } },
	  .state = PACKAGE_KEPT },
	{ .what = "a hard link at the top",
	  .entries = { PLAIN("./a"), { "./b", "./a", '1', 0644, 0 } },
	  .state = PACKAGE_UNPACKED },
	{ .what = "a hard link through a symlink",
	  .entries = { PLAIN("./usr/bin/a"),
		       { "./way", "usr", '2', 0777, 0 },
		       { "./way/b", "./usr/bin/a", '1', 0644, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "leads through a symlink" },
	{ .what = "a symlink through a file",
	  .entries = { PLAIN("./way"), { "./way/b", "x", '2', 0777, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "leads through a symlink or a file" },
	{ .what = "a directory through a file",
	  .entries = { PLAIN("./way"), DIRECTORY("./way/b/") },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "leads through a symlink or a file" },
	{ .what = "a file with a hole",
	  .entries = { { "./usr/bin/toy", "behind it", 'S', 0644, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "is a sparse file" },
	{ .what = "a symlink to nowhere",
	  .entries = { { "./usr/bin/toy", "", '2', 0777, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "is a symlink to nowhere" },
	{ .what = "a file with an impossible name",
	  .entries = { { "././@LongLink", "./usr/bin/" X256, 'L', 0644, 0 }, PLAIN("./x") },
	  .state = -1,
	  .code = ERR_SYSTEM,
	  .says = "cannot unpack" },
	{ .what = "a directory with an impossible name",
	  .entries = { { "././@LongLink", "./usr/" X256 "/", 'L', 0644, 0 }, DIRECTORY("./x/") },
	  .state = -1,
	  .code = ERR_SYSTEM,
	  .says = "cannot unpack" },
	{ .what = "a symlink with an impossible name",
	  .entries = { { "././@LongLink", "./usr/" X256, 'L', 0644, 0 },
		       { "./x", "a", '2', 0777, 0 } },
	  .state = -1,
	  .code = ERR_SYSTEM,
	  .says = "cannot unpack" },
	{ .what = "a hard link with an impossible name",
	  .entries = { PLAIN("./a"),
		       { "././@LongLink", "./usr/" X256, 'L', 0644, 0 },
		       { "./x", "./a", '1', 0644, 0 } },
	  .state = -1,
	  .code = ERR_SYSTEM,
	  .says = "cannot unpack" },
	{ .what = "a path through an impossible name",
	  .entries = { { "././@LongLink", "./" X256 "/a", 'L', 0644, 0 }, PLAIN("./x") },
	  .state = -1,
	  .code = ERR_SYSTEM,
	  .says = "cannot unpack" },
	{ .what = "a hidden file", .entries = { PLAIN(".hidden") }, .state = PACKAGE_UNPACKED },
	{ .what = "a preinst",
	  .control = { { "./preinst", "#!/bin/sh\necho x\n", '0', 0755, 0 } },
	  .state = PACKAGE_KEPT },
	{ .what = "a preinst that does nothing",
	  .control = { { "./preinst",
			 "#!/bin/sh\nset -e\n# Automatically added by dh_installdeb/13\nrm x\n"
			 "# End automatically added section\nexit 0\n",
			 '0', 0755, 0 } },
	  .state = PACKAGE_AHEAD },
	{ .what = "a preinst from another debhelper tool",
	  .control = { { "./preinst",
			 "#!/bin/sh\n# Automatically added by dh_other/13\nrm x\n"
			 "# End automatically added section\n",
			 '0', 0755, 0 } },
	  .state = PACKAGE_KEPT },
	{ .what = "a preinst with an unterminated section",
	  .control = { { "./preinst", "#!/bin/sh\n# Automatically added by dh_installdeb/13\n", '0',
			 0755, 0 } },
	  .state = PACKAGE_KEPT },
	{ .what = "conffiles with flags",
	  .control = { { "./conffiles", "remove-on-upgrade /etc/toy\n", '0', 0644, 0 } },
	  .state = PACKAGE_KEPT },
	{ .what = "conffiles with an unterminated last line",
	  .entries = { PLAIN("./usr/bin/toy") },
	  .control = { { "./conffiles", "/etc/toy", '0', 0644, 0 } },
	  .state = PACKAGE_UNPACKED },
	{ .what = "an owner whose id exists only on this system",
	  .entries = { { "./usr/bin/toy", "x", '0', 0644, 1000 } },
	  .state = PACKAGE_KEPT },
	{ .what = "an owner outside the range",
	  .entries = { { "./usr/bin/toy", "x", '0', 0644, 65535 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "owner outside of the range" },
	{ .what = "a path outside the tree",
	  .entries = { PLAIN("./../evil") },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "not a path below the tree" },
	{ .what = "a path with .. in it",
	  .entries = { PLAIN("./usr/../../evil") },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "not a path below the tree" },
	{ .what = "an absolute path",
	  .entries = { PLAIN("/tmp/evil") },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "not a path below the tree" },
	{ .what = "a name with two lines",
	  .entries = { PLAIN("./usr/bin/a\nb") },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "not a path below the tree" },
	{ .what = "a path through a symlink",
	  .entries = { { "./way", "/var/tmp", '2', 0777, 0 }, PLAIN("./way/evil") },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "leads through a symlink" },
	{ .what = "a path through a file",
	  .entries = { PLAIN("./way"), PLAIN("./way/evil") },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "leads through a symlink or a file" },
	{ .what = "a hard link to another package's file",
	  .entries = { { "./usr/bin/toy", "./etc/shadow", '1', 0644, 0 } },
	  .before = "etc/shadow",
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "to a file not in its package" },
	{ .what = "a hard link out of the tree",
	  .entries = { { "./usr/bin/toy", "../etc/shadow", '1', 0644, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "a hard link out of the tree" },
	{ .what = "a device",
	  .entries = { { "./dev-null", NULL, '3', 0666, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "a device, a pipe or a socket" },
	{ .what = "a pipe",
	  .entries = { { "./pipe", NULL, '6', 0666, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "a device, a pipe or a socket" },
	{ .what = "a control file that is a path",
	  .control = { { "./../evil", "x", '0', 0644, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "malformed control archive" },
	{ .what = "a control file that is a link",
	  .control = { { "./postinst", "/etc/shadow", '2', 0777, 0 } },
	  .state = -1,
	  .code = ERR_PACKAGE,
	  .says = "malformed control archive" },
};

static void check_row(const struct row *row)
{
	_cleanup_error_ struct error *err = NULL;
	struct layout l = begin(row->before);
	int state;

	make_deb(CONTROL, row->control, row->entries);
	state = unpack(&l, false, &err);
	if (row->state >= 0)
		tap_check(state == row->state && !err &&
				  is_there(&l, DPKG_INFO "/toy.list") == (state != PACKAGE_KEPT),
			  "%s: %s", row->what,
			  state == PACKAGE_KEPT	   ? "for dpkg"
			  : state == PACKAGE_AHEAD ? "unpacked, its preinst comes later"
						   : "unpacked");
	else
		tap_check(state == -1 && err && err->code == row->code &&
				  strstr(err->message, row->says) &&
				  access("/var/tmp/evil", F_OK) < 0 &&
				  access("/tmp/evil", F_OK) < 0,
			  "%s: refused", row->what);
	end(&l);
}

/* Everything valid in one package. */
static void check_whole(void)
{
	static const struct entry entries[ENTRIES] = {
		DIRECTORY("./"),
		DIRECTORY("./usr/share/toy/"),
		{ "./usr/share/toy/a", "content of a\n", '0', 04755, 0 },
		{ "./usr/share/toy/b", "./usr/share/toy/a", '1', 0644, 0 },
		{ "./bin/toy", "../share/toy/a", '2', 0777, 0 },
		PLAIN("./etc/toy.conf"),
		PLAIN("./usr/share/doc/toy"),
	};
	static const struct entry control[FILES] = {
		{ "./conffiles", "/etc/toy.conf\n", '0', 0644, 0 },
		{ "./postinst", "#!/bin/sh\n", '0', 0755, 0 },
	};
	struct layout l = begin(NULL);
	struct stat a = { 0 }, b = { 0 }, post;
	char target[64] = "", bin[64] = "";

	make_deb(CONTROL "Multi-Arch: same\n", control, entries);
	close(tree_make_dirs(l.tree, "usr/share"));
	tap_check(unpack(&l, false, NULL) == PACKAGE_UNPACKED, "a whole package");
	tap_check(contains(&l, "usr/share/toy/a", "content of a\n") &&
			  fstatat(l.tree, "usr/share/toy/a", &a, 0) == 0 &&
			  (a.st_mode & 07777) == 04755 && a.st_mtime == 1000000000,
		  "its file has its content, mode and time");
	tap_check(fstatat(l.tree, "usr/share/toy/b", &b, 0) == 0 && a.st_ino == b.st_ino,
		  "its hard link is a hard link");
	tap_check(readlinkat(l.tree, "usr/bin/toy", target, sizeof(target) - 1) > 0 &&
			  strcmp(target, "../share/toy/a") == 0 &&
			  readlinkat(l.tree, "bin", bin, sizeof(bin) - 1) > 0 &&
			  strcmp(bin, "usr/bin") == 0,
		  "what is for /bin is in /usr/bin, and /bin leads there");
	tap_check(!is_there(&l, "etc/toy.conf") &&
			  contains(&l, "etc/toy.conf.dpkg-new", "content\n"),
		  "its conffile waits for dpkg");
	tap_check(!is_there(&l, "usr/share/doc/toy"), "excluded files are not unpacked");
	tap_check(contains(&l, DPKG_INFO "/toy:amd64.list",
			   "/.\n/usr/share/toy\n/usr/share/toy/a\n/usr/share/toy/b\n/bin/toy\n"
			   "/etc/toy.conf\n/usr/share/doc/toy\n"),
		  "all files are listed");
	/* md5sum of "content of a\n" */
	tap_check(contains(&l, DPKG_INFO "/toy:amd64.md5sums",
			   "5be6c5adf48ffaba115943a9400786e5  usr/share/toy/a\n"),
		  "files have sums, conffiles none");
	tap_check(contains(&l, DPKG_INFO "/toy:amd64.conffiles", "/etc/toy.conf\n") &&
			  fstatat(l.tree, DPKG_INFO "/toy:amd64.postinst", &post, 0) == 0 &&
			  (post.st_mode & 0777) == 0755,
		  "its scripts are in dpkg's database");
	tap_check(contains(&l, WORK "/toy", CONTROL "Multi-Arch: same\n"),
		  "its control file is kept");
	tap_check(!is_there(&l, DPKG_INFO "/toy:amd64.control"),
		  "its control file is not in dpkg's database");
	end(&l);
}

/* --- files that are not packages -------------------------------------------------------------- */

static void check_file(const char *what, enum error_code code, const char *says)
{
	_cleanup_error_ struct error *err = NULL;
	struct layout l = begin(NULL);
	int state = unpack(&l, false, &err);

	tap_check(state == -1 && err && err->code == code && strstr(err->message, says),
		  "%s: refused: %s", what, err ? err->message : "taken");
	end(&l);
}

/* The caller provides descriptors: unreadable ones, and files that end before their size, as if
 * truncated meanwhile; files in /sys report a size of one page. */
static void check_broken_file(void)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = open("/usr", O_RDONLY | O_CLOEXEC);
	struct layout l = begin(NULL);

	tap_check(package_unpack(&l, "toy", fd, false, false, &err) == -1 && err &&
			  err->code == ERR_PACKAGE && strstr(err->message, "Is a directory"),
		  "a directory: refused: %s", err ? err->message : "taken");
	end(&l);
}

static void check_files(void)
{
	static const struct entry none[ENTRIES], file[ENTRIES] = { PLAIN("./usr/bin/toy") };
	struct layout l;

	deb.used = 0;
	add(&deb, "no archive at all", 17);
	check_file("something other than an archive", ERR_PACKAGE, "malformed archive");
	begin_deb();
	add_member(&deb, "debian-binary", "3.0\n", 4);
	check_file("another format", ERR_PACKAGE, "not a .deb of format 2");
	begin_deb();
	add_member(&deb, "debian-binary", "2.0\n", 4);
	add_member(&deb, "data.tar", "", 0);
	check_file("data before control", ERR_PACKAGE, "\"data.tar\" where control.tar should be");
	begin_deb();
	add_member(&deb, "debian-binary", "2.0\n", 4);
	add_member(&deb, "control.tar.lrz", "LRZI", 4);
	check_file("a compression that needs a program", ERR_PACKAGE, "\"control.tar.lrz\"");
	part.used = 0;
	add_entry(&part, &(const struct entry){ "./control", CONTROL, '0', 0644, 0 });
	begin_deb();
	add_member(&deb, "debian-binary", "2.0\n", 4);
	add_member(&deb, "control.tar", part.data, 520);
	check_file("a truncated control archive", ERR_PACKAGE, "malformed control archive");
	deb.used = 0;
	check_file("an empty file", ERR_PACKAGE, "malformed archive");
	make_deb("Package: other\n", none, file);
	check_file("another package's control file", ERR_PACKAGE, "its control file names another");
	make_deb(CONTROL, none, file);
	deb.used -= 1600;
	check_file("a truncated package", ERR_PACKAGE, "malformed archive");

	check_broken_file();
	l = begin(NULL);
	make_deb(CONTROL, (struct entry[FILES]){ { "./preinst", "echo\n", '0', 0755, 0 } }, file);
	tap_check(unpack(&l, true, NULL) == PACKAGE_AHEAD && is_there(&l, "usr/bin/toy"),
		  "a preinst that runs later");
	end(&l);
}

static bool write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, text, strlen(text)) == 0;
}

/* The files belong to root. */
static bool be_root(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	return geteuid() == 0 ||
	       (unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/setgroups", "deny") &&
		write_text("/proc/self/uid_map", uids) && write_text("/proc/self/gid_map", gids));
}

int main(void)
{
	bool root = geteuid() == 0;

	alarm(50);
	if (!scratch_make(dir) || rmdir(dir) < 0)
		return 1;
	if (!be_root()) {
		tap_check(false, "root of a namespace");
		return tap_done();
	}
	umask(022);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (root || rows[i].entries[0].owner != 1000)
			check_row(&rows[i]);
		else
			printf("ok %u - %s # SKIP needs root\n", ++tap_count, rows[i].what);
	check_whole();
	check_files();
	return tap_done();
}
