/* helper/worker/tree/digest.c: any difference between two trees changes the digest, and nothing
 * else does. */
#include "helper/worker/tree/digest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "helper/worker/tree/walk.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

struct entry {
	const char *path;
	const char *content; /* of a file; NULL: a directory; "-> x": a symlink */
	mode_t mode;
	const char *attribute; /* of a file or directory: the value of user.x */
	const char *name;      /* of the attribute */
	uid_t owner;
	gid_t group;
};

#define ENTRIES 6

static const struct entry plain[ENTRIES] = {
	{ "a", "content of a", 0644, NULL, NULL }, { "b", "content of b", 0644, NULL, NULL },
	{ "directory", NULL, 0755, NULL, NULL },   { "directory/a", "", 0600, NULL, NULL },
	{ "link", "-> a", 0, NULL, NULL },
};

static bool is_link(const struct entry *e)
{
	return e->content && strncmp(e->content, "-> ", 3) == 0;
}

static bool make(int tree, const struct entry *e)
{
	_cleanup_close_ int fd = -1;

	if (is_link(e))
		return symlinkat(e->content + 3, tree, e->path) == 0;
	if (!e->content && mkdirat(tree, e->path, 0700) < 0)
		return false;
	fd = e->content ? openat(tree, e->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
			: openat(tree, e->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && (!e->content || write_all(fd, e->content, strlen(e->content)) == 0) &&
	       (!(e->owner || e->group) || fchown(fd, e->owner, e->group) == 0) &&
	       fchmod(fd, e->mode) == 0 &&
	       (!e->attribute || fsetxattr(fd, e->name ? e->name : "user.x", e->attribute,
					   strlen(e->attribute), 0) == 0);
}

/* The digest of a tree of ENTRIES, created in this order or in reverse. */
static bool take(const struct entry *entries, bool backwards, struct tree_digest *digest)
{
	char dir[SCRATCH_SIZE] = "digest";
	_cleanup_close_ int tree = scratch_make(dir) ? open(dir, O_RDONLY | O_DIRECTORY) : -1;
	size_t count = 0;
	bool good = tree >= 0;

	while (count < ENTRIES && entries[count].path)
		count++;
	/* Entries in a directory must come after it. */
	for (size_t i = 0; good && i < count; i++)
		if (!strchr(entries[backwards ? count - 1 - i : i].path, '/'))
			good = make(tree, &entries[backwards ? count - 1 - i : i]);
	for (size_t i = 0; good && i < count; i++)
		if (strchr(entries[i].path, '/'))
			good = make(tree, &entries[i]);
	good = good && digest_tree(tree, digest, NULL) == 0 && digest->count == count + 1;
	if (tree >= 0)
		empty_tree(tree, NULL);
	rmdir(dir);
	return good;
}

static struct tree_digest wanted;

static void differs(const char *what, size_t i, struct entry changed)
{
	struct entry entries[ENTRIES];
	struct tree_digest digest;

	memcpy(entries, plain, sizeof(entries));
	entries[i] = changed;
	tap_check(take(entries, false, &digest) && memcmp(digest.sum, wanted.sum, SHA256_LEN) != 0,
		  "another digest: %s", what);
}

static bool attributes_work(void)
{
	char path[] = "/var/tmp/rootlet-test-digest.XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	bool good = fd >= 0 && fsetxattr(fd, "user.x", "1", 1, 0) == 0;

	unlink(path);
	return good;
}

static void check_attributes(void)
{
	static const struct entry one = { "a", "content of a", 0644, "1", NULL };
	struct entry entries[ENTRIES], changed = one;
	struct tree_digest first, second;

	differs("an extended attribute", 0, one);
	differs("an extended attribute of a directory", 2,
		(struct entry){ "directory", NULL, 0755, "1", NULL });
	memcpy(entries, plain, sizeof(entries));
	entries[0] = one;
	take(entries, false, &first);
	changed.attribute = "2";
	entries[0] = changed;
	tap_check(take(entries, false, &second) && memcmp(first.sum, second.sum, SHA256_LEN) != 0,
		  "a different digest: an attribute's value");
	changed = one;
	changed.name = "user.y";
	entries[0] = changed;
	tap_check(take(entries, false, &second) && memcmp(first.sum, second.sum, SHA256_LEN) != 0,
		  "a different digest: an attribute's name");
	changed = one;
	changed.name = "user.xy";
	changed.attribute = "z";
	entries[0] = changed;
	take(entries, false, &first);
	changed.name = "user.x";
	changed.attribute = "yz";
	entries[0] = changed;
	tap_check(take(entries, false, &second) && memcmp(first.sum, second.sum, SHA256_LEN) != 0,
		  "a different digest: the end of an attribute's name");
}

static void check_failures(void)
{
	char dir[SCRATCH_SIZE] = "digest";
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int tree = scratch_make(dir) ? open(dir, O_RDONLY | O_DIRECTORY) : -1;
	_cleanup_close_ int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct tree_digest digest;

	tap_check(digest_tree(file, &digest, &err) == -1 && err && err->code == ERR_SYSTEM,
		  "something other than a tree has no digest: %s", err ? err->message : "it has");
	tap_check(digest_tree(tree, &digest, NULL) == 0 && digest.count == 1,
		  "an empty tree has one entry");
	rmdir(dir);
}

int main(void)
{
	struct entry entries[ENTRIES];
	struct tree_digest digest;

	alarm(50);
	tap_check(take(plain, false, &wanted), "a tree has a digest");
	tap_check(take(plain, false, &digest) && memcmp(digest.sum, wanted.sum, SHA256_LEN) == 0,
		  "the same tree elsewhere has the same digest");
	tap_check(take(plain, true, &digest) && memcmp(digest.sum, wanted.sum, SHA256_LEN) == 0,
		  "the directory order does not matter");
	differs("a byte of a file", 0, (struct entry){ "a", "content of A", 0644, NULL, NULL });
	differs("a byte more", 0, (struct entry){ "a", "content of a!", 0644, NULL, NULL });
	differs("a mode", 0, (struct entry){ "a", "content of a", 0640, NULL, NULL });
	differs("a setuid bit", 0, (struct entry){ "a", "content of a", 04644, NULL, NULL });
	differs("a directory's mode", 2, (struct entry){ "directory", NULL, 0711, NULL, NULL });
	differs("a name", 0, (struct entry){ "c", "content of a", 0644, NULL, NULL });
	differs("a symlink's target", 4, (struct entry){ "link", "-> b", 0, NULL, NULL });
	differs("a file for a link", 4, (struct entry){ "link", "a", 0777, NULL, NULL });
	differs("an extra entry", 5, (struct entry){ "more", NULL, 0755, NULL, NULL });
	differs("a missing entry", 4, (struct entry){ NULL, NULL, 0, NULL, NULL });
	memcpy(entries, plain, sizeof(entries));
	entries[0].content = plain[1].content;
	entries[1].content = plain[0].content;
	tap_check(take(entries, false, &digest) && memcmp(digest.sum, wanted.sum, SHA256_LEN) != 0,
		  "a different digest: two files with swapped content");
	if (geteuid() == 0) {
		differs("an owner", 0,
			(struct entry){ "a", "content of a", 0644, NULL, NULL, 12345, 0 });
		differs("a group", 0,
			(struct entry){ "a", "content of a", 0644, NULL, NULL, 0, 12345 });
	} else {
		printf("ok %u - owners # SKIP needs root\n", ++tap_count);
	}
	if (attributes_work())
		check_attributes();
	else
		printf("ok %u - attributes # SKIP no user attributes on this filesystem\n",
		       ++tap_count);
	check_failures();
	return tap_done();
}
