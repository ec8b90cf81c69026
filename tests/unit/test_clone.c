/* helper/worker/tree/clone.c: a copy of a tree equals the tree, and shared files are left out
 * and listed. Also tests lib/output.c, which holds program output. */
#include "helper/worker/tree/clone.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "helper/worker/tree/digest.h"
#include "helper/worker/tree/walk.h"
#include "lib/output.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50
#define ATTRIBUTE "user.rootlet-test"

static const struct {
	const char *path, *text; /* NULL: a directory; "-> x": a symlink; "=> x": a hard link */
	mode_t mode;
} entries[] = {
	{ "etc", NULL, 0755 },
	{ "etc/passwd", "root\n", 0644 },
	{ "etc/rootlet", NULL, 0755 },
	{ "etc/rootlet/manifest.json", "{}", 0644 },
	{ "usr", NULL, 0755 },
	{ "usr/bin", NULL, 0711 },
	{ "usr/bin/su", "a program", 04755 },
	{ "usr/bin/twin", "=> usr/bin/su", 0 },
	{ "usr/empty", "", 0600 },
	{ "bin", "-> usr/bin", 0 },
	{ "var", NULL, 01777 },
	{ "var/log", "a line\n", 0640 },
	{ "var/log.1", "=> var/log", 0 },
	{ "var/lib", NULL, 0755 },
	{ "var/lib/dpkg", NULL, 0755 },
	{ "var/lib/dpkg/status", "", 0644 }, /* copied first, to find the method */
};

static bool make(int tree)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		const char *path = entries[i].path, *text = entries[i].text;
		_cleanup_close_ int fd = -1;

		if (!text && mkdirat(tree, path, 0700) < 0)
			return false;
		if (text && strncmp(text, "-> ", 3) == 0) {
			if (symlinkat(text + 3, tree, path) < 0)
				return false;
			continue;
		}
		if (text && strncmp(text, "=> ", 3) == 0) {
			if (linkat(tree, text + 3, tree, path, 0) < 0)
				return false;
			continue;
		}
		fd = text ? openat(tree, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
			  : openat(tree, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || (text && write_all(fd, text, strlen(text)) < 0) ||
		    fchmod(fd, entries[i].mode) < 0 ||
		    futimens(fd, (struct timespec[]){ { 1000, 0 }, { 2000, 0 } }) < 0)
			return false;
		if (strcmp(path, "var/log") == 0 && fsetxattr(fd, ATTRIBUTE, "x", 1, 0) < 0)
			printf("# no attributes here: %s\n", strerror(errno));
	}
	return true;
}

static struct stat facts(int tree, const char *path)
{
	struct stat st = { 0 };

	if (fstatat(tree, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		memset(&st, 0, sizeof(st));
	return st;
}

static bool contains(int tree, const char *path, const char *text)
{
	size_t size;
	_cleanup_free_ char *data = tree_read_file(tree, path, 4096, &size);

	return data && strcmp(data, text) == 0;
}

static char top[SCRATCH_SIZE] = "clone";
static int above;

static int open_dir(const char *name)
{
	if (mkdirat(above, name, 0755) < 0)
		return -1;
	return openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool has_attribute(int tree, const char *path)
{
	_cleanup_close_ int fd = openat(tree, path, O_RDONLY | O_CLOEXEC);
	char value = '\0';

	return fd >= 0 && fgetxattr(fd, ATTRIBUTE, &value, 1) == 1 && value == 'x';
}

static void check_same(int from, int to)
{
	struct stat su = facts(to, "usr/bin/su"), twin = facts(to, "usr/bin/twin");
	char target[32] = "";

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		struct stat one = facts(from, entries[i].path), other = facts(to, entries[i].path);

		if (strncmp(entries[i].path, "etc/rootlet", 11) == 0)
			continue;
		tap_check(one.st_mode == other.st_mode && one.st_uid == other.st_uid &&
				  one.st_size ==
					  other.st_size + (S_ISDIR(one.st_mode)
								   ? one.st_size - other.st_size
								   : 0) &&
				  (S_ISDIR(one.st_mode) || one.st_mtime == other.st_mtime),
			  "a copy of %s", entries[i].path);
	}
	tap_check(su.st_ino == twin.st_ino && su.st_ino &&
			  facts(to, "var/log").st_ino == facts(to, "var/log.1").st_ino,
		  "hard links stay hard links");
	tap_check(has_attribute(to, "var/log") == has_attribute(from, "var/log"),
		  "an extended attribute is copied");
	tap_check(readlinkat(to, "bin", target, sizeof(target) - 1) > 0 &&
			  strcmp(target, "usr/bin") == 0,
		  "a symlink keeps its target");
	tap_check(contains(to, "usr/bin/su", "a program") && contains(to, "var/log", "a line\n"),
		  "files have their content");
	tap_check(!facts(to, "etc/rootlet/manifest.json").st_ino,
		  "rootlet's own files in a tree are not copied");
	tap_check(facts(to, "var/log").st_ino != facts(from, "var/log").st_ino &&
			  facts(to, "etc/passwd").st_ino != facts(from, "etc/passwd").st_ino,
		  "no file outside /usr is shared");
	tap_check(facts(from, "usr/bin/su").st_ino != su.st_ino,
		  "no file below /usr is shared by copies");
}

static void remove_tree(int parent, const char *name, int tree)
{
	empty_tree(tree, NULL);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static bool same_digest(int one, int other)
{
	struct tree_digest a, b;

	return digest_tree(one, &a, NULL) == 0 && digest_tree(other, &b, NULL) == 0 &&
	       a.count == b.count && memcmp(a.sum, b.sum, SHA256_LEN) == 0;
}

static void check_clone(void)
{
	_cleanup_close_ int from = open_dir("from"), to = open_dir("to");
	enum clone_way way = CLONE_COPY;
	int fd, names;

	tap_check(make(from) && clone_tree(from, to, &way, &names, NULL) == 0 && names == -1 &&
			  (way == CLONE_COPY || way == CLONE_REFLINK),
		  "a tree is cloned");
	printf("# by way %d\n", (int)way);
	check_same(from, to);
	tap_check(same_digest(from, to), "both have the same digest");
	fd = openat(to, "usr/bin/su", O_WRONLY | O_TRUNC | O_CLOEXEC);
	tap_check(fd >= 0 && write_all(fd, "changed", 7) == 0 &&
			  contains(from, "usr/bin/su", "a program"),
		  "writing to one tree does not change the other");
	close(fd);
	tap_check(!same_digest(from, to), "writing to a tree changes its digest");
	tap_check(clone_tree(from, to, &way, &names, NULL) == -1,
		  "a directory that is not empty is refused for a clone");
	remove_tree(above, "from", from);
	remove_tree(above, "to", to);
}

/* Whether the list has these bytes: directory order may vary. */
static bool lists(int names, const char *one, const char *other, size_t size)
{
	char text[256];
	ssize_t n = names < 0 ? -1 : pread(names, text, sizeof(text), 0);

	return n == (ssize_t)size &&
	       (memcmp(text, one, size) == 0 || memcmp(text, other, size) == 0);
}

/* Files that may be shared are left out; files with several names are copied once. */
static void check_lists(void)
{
	static const char one[] = "usr/bin\0su\0twin\0\0usr\0empty\0",
			  other[] = "usr/bin\0twin\0su\0\0usr\0empty\0",
			  linked[] = "usr/bin\0su\0twin\0", also[] = "usr/bin\0twin\0su\0";
	_cleanup_close_ int from = open_dir("from"), to = open_dir("to");
	_cleanup_close_ int copies = open_dir("copies");
	enum clone_way way = CLONE_LINK;
	int names = -1;

	tap_check(make(from) && clone_tree(from, to, &way, &names, NULL) == 0,
		  "a tree is partly cloned");
	if (way == CLONE_REFLINK)
		tap_check(names == -1 && same_digest(from, to),
			  "with reflinks, everything is cloned");
	else
		tap_check(way == CLONE_LINK && lists(names, one, other, sizeof(one)) &&
				  !facts(to, "usr/bin/su").st_ino &&
				  !facts(to, "usr/empty").st_ino &&
				  facts(to, "usr/bin").st_mode == (S_IFDIR | 0711) &&
				  contains(to, "var/log", "a line\n"),
			  "files below /usr are left to be linked, and listed");
	closep(&names);
	tap_check(clone_linked(from, copies, &names, NULL) == 0 &&
			  lists(names, linked, also, sizeof(linked)) &&
			  contains(copies, "usr/bin/su", "a program") &&
			  facts(copies, "usr/bin/su").st_ino ==
				  facts(copies, "usr/bin/twin").st_ino &&
			  facts(copies, "usr/bin/su").st_ino != facts(from, "usr/bin/su").st_ino &&
			  facts(copies, "usr/bin/su").st_mode == (S_IFREG | 04755) &&
			  !facts(copies, "usr/empty").st_ino && !facts(copies, "var").st_ino,
		  "of files with several names below /usr there are copies, and a list");
	closep(&names);
	remove_tree(above, "from", from);
	remove_tree(above, "to", to);
	remove_tree(above, "copies", copies);
}

/* Between filesystems, the kernel may not support copying by itself. */
static void check_across(void)
{
	_cleanup_close_ int from = open_dir("from"), to = -1;
	char other[] = "/dev/shm/rootlet-test-clone.XXXXXX";
	enum clone_way way = CLONE_COPY;
	int names;

	if (!mkdtemp(other) || (to = open(other, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		exit(1);
	tap_check(make(from) && clone_tree(from, to, &way, &names, NULL) == 0 &&
			  way == CLONE_COPY && contains(to, "usr/bin/su", "a program") &&
			  facts(to, "usr/bin/su").st_mode == (S_IFREG | 04755) &&
			  same_digest(from, to),
		  "a tree is copied to another filesystem");
	remove_tree(above, "from", from);
	remove_tree(AT_FDCWD, other, to);
}

/* Programs may leave pipes: a copy omits them, but the digest of a tree includes them. */
static void check_pipe(void)
{
	_cleanup_close_ int from = open_dir("from"), to = open_dir("to");
	struct tree_digest without, with;
	enum clone_way way = CLONE_COPY;
	int names;

	tap_check(make(from) && digest_tree(from, &without, NULL) == 0 &&
			  mkfifoat(from, "var/pipe", 0600) == 0 &&
			  clone_tree(from, to, &way, &names, NULL) == 0 &&
			  !facts(to, "var/pipe").st_ino && digest_tree(from, &with, NULL) == 0 &&
			  with.count == without.count + 1,
		  "a pipe is not cloned, but is in the digest");
	remove_tree(above, "from", from);
	remove_tree(above, "to", to);
}

/* COUNT nested directories. */
static void dig(int tree, const char *name, unsigned count)
{
	int at = dup(tree);

	for (unsigned i = 0; i < count; i++) {
		int next = mkdirat(at, name, 0755) < 0
				   ? -1
				   : openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (next < 0)
			abort();
		close(at);
		at = next;
	}
	close(at);
}

/* No package creates such trees: cloning one fails and says where. */
static void check_depth(void)
{
	static const struct {
		const char *what, *name, *says;
		unsigned count;
	} rows[] = { { "too deep", "d", "/d/d/d/d/d/d/d/d/d/d", 1100 },
		     { "too long", X200, "a path is too long: /" X200, 25 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		_cleanup_close_ int from = open_dir("from");
		struct tree_digest digest;

		dig(from, rows[i].name, rows[i].count);
		tap_check(digest_tree(from, &digest, &err) == -1 && err &&
				  err->code == ERR_SYSTEM && strstr(err->message, rows[i].says),
			  "a tree that is %s has no digest: %.100s", rows[i].what,
			  err ? err->message : "");
		remove_tree(above, "from", from);
	}
}

/* --- program output ----------------------------------------------------------------------- */

static char said[4096];

static void take_line(const char *line, void *context)
{
	size_t used = strlen(said);

	(void)context;
	snprintf(said + used, sizeof(said) - used, "%s|", line);
}

static void check_output(void)
{
	struct output o = { .line = take_line };
	char tail[512], longest[OUTPUT_LINE + 100];

	output_feed(&o, "one\ntwo\r\n\nth", 12);
	output_feed(&o, "ree\x1b[0m\t\x7f\n", 10);
	tap_check(strcmp(said, "one|two|three?[0m??|") == 0, "lines without control characters: %s",
		  said);
	output_tail(&o, tail, sizeof(tail));
	tap_check(strcmp(tail, "one; two; three?[0m??") == 0, "the last lines: %s", tail);
	for (int i = 0; i < OUTPUT_KEPT; i++)
		output_feed(&o, (const char[]){ (char)('a' + i), '\n' }, 2);
	output_tail(&o, tail, sizeof(tail));
	tap_check(strcmp(tail, "a; b; c; d; e; f") == 0 && !o.full, "no more than six: %s", tail);
	memset(longest, 'x', sizeof(longest));
	said[0] = '\0';
	output_feed(&o, longest, sizeof(longest));
	output_feed(&o, "\n", 1);
	tap_check(strlen(said) == sizeof(longest) + 2 && said[OUTPUT_LINE - 1] == '|',
		  "an overlong line is split");
	output_feed(&o, "dpkg: No space left on device\n", 30);
	tap_check(o.full, "a full disk is noticed");
	output_tail(&o, tail, 8);
	tap_check(strlen(tail) == 7, "a tail fits its buffer");
}

static bool write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, text, strlen(text)) == 0;
}

int main(void)
{
	char uids[32], gids[32];

	alarm(50);
	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	if (!scratch_make(top))
		return 1;
	/* The files belong to root. */
	if (geteuid() != 0 &&
	    (unshare(CLONE_NEWUSER) < 0 || !write_text("/proc/self/setgroups", "deny") ||
	     !write_text("/proc/self/uid_map", uids) || !write_text("/proc/self/gid_map", gids)))
		tap_check(false, "root of a namespace");
	above = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_clone();
	check_lists();
	check_across();
	check_pipe();
	check_depth();
	check_output();
	close(above);
	rmdir(top);
	return tap_done();
}
