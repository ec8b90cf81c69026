/* Which files of a published rootfs share a piece: frontend/rootfs/piece_groups.c. */
#include "frontend/rootfs/piece_groups.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "tap.h"

/* What dpkg knows, as files of the tree. */
static const struct {
	const char *path, *text;
} lists[] = {
	{ "./var/lib/dpkg/info/attr.list",
	  "/.\n/usr\n/usr/bin\n/usr/bin/attr\n/bin/getfattr\n/sbin/x\n/lib/y\n" },
	{ "./var/lib/dpkg/info/libattr1:amd64.list",
	  "/.\n/usr/lib/libattr.so.1\n/lib/libz.so\n/usr/lib/python3/m.py\n" },
	{ "./var/lib/dpkg/info/odd", "/usr/bin/odd\n" },
	{ "./var/lib/dpkg/info/.list", "/usr/bin/nameless\n" },
	{ "./var/lib/dpkg/info/deep/er.list", "/usr/bin/deeper\n" },
};

/* "rest" is one of the groups of files without a package. */
static const struct {
	const char *path, *group;
} rows[] = {
	{ "usr/bin/attr", "attr" },
	{ "usr/bin/getfattr", "attr" }, /* dpkg's name of it is /bin/getfattr */
	{ "bin/getfattr", "attr" },
	{ "usr/sbin/x", "attr" },
	{ "usr/lib/y", "attr" },
	{ "usr/lib/libattr.so.1", "libattr1" },
	{ "usr/lib/libz.so", "libattr1" },
	{ "var/lib/dpkg/info/attr.list", "attr" },
	{ "var/lib/dpkg/info/attr.md5sums", "attr" },
	{ "var/lib/dpkg/info/libattr1:amd64.postinst", "libattr1" },
	{ "var/lib/dpkg/info/nosuch.list", "rest" },
	{ "var/lib/dpkg/info/format", "rest" },
	{ "var/lib/dpkg/info/odd", "rest" },
	{ "var/lib/dpkg/status", "rest" },
	{ "usr/lib/python3/__pycache__/m.cpython-311.pyc", "libattr1" },
	{ "usr/lib/python3/__pycache__/other.cpython-311.pyc", "rest" },
	{ "__pycache__/m.pyc", "rest" },
	{ "usr/bin/odd", "rest" },
	{ "usr/bin/nameless", "rest" },
	{ "usr/bin/deeper", "rest" },
	{ "etc/motd", "rest" },
};

static int write_lists(void)
{
	struct archive *a = archive_write_new();
	int fd = memfd_create("tar", MFD_CLOEXEC);

	archive_write_set_format_pax_restricted(a);
	archive_write_open_fd(a, fd);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, lists[i].path);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, (la_int64_t)strlen(lists[i].text));
		archive_write_header(a, entry);
		archive_write_data(a, lists[i].text, strlen(lists[i].text));
		archive_entry_free(entry);
	}
	archive_write_close(a);
	archive_write_free(a);
	return fd;
}

static bool is_rest(const char *group)
{
	char *end;
	unsigned long number = strtoul(group, &end, 10);

	return *group && !*end && number < PIECE_REST;
}

static void check_groups(int tar)
{
	_cleanup_(piece_groups_free) struct piece_groups *groups = piece_groups_read(tar, NULL);
	char group[PIECE_GROUP_SIZE], again[PIECE_GROUP_SIZE];

	tap_check(groups, "dpkg's lists are read");
	for (size_t i = 0; groups && i < sizeof(rows) / sizeof(*rows); i++) {
		piece_group_of(groups, rows[i].path, group);
		piece_group_of(groups, rows[i].path, again);
		tap_check(strcmp(rows[i].group, "rest") == 0 ? is_rest(group)
							     : tap_same(group, rows[i].group),
			  "%s: %s", rows[i].path, rows[i].group);
		if (!tap_same(group, again))
			tap_check(false, "%s: always the same group", rows[i].path);
	}
}

static void check_malformed(int tar)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_(piece_groups_free) struct piece_groups *groups = NULL;

	if (ftruncate(tar, 700) < 0 || pwrite(tar, "x", 1, 600) != 1)
		exit(1);
	groups = piece_groups_read(tar, &err);
	tap_check(!groups && err && err->code == ERR_INPUT,
		  "an archive that ends early is refused");
}

int main(void)
{
	_cleanup_close_ int tar = write_lists();

	check_groups(tar);
	check_malformed(tar);
	return tap_done();
}
