/* frontend/cli/tree.c: symlinks in a rootfs are followed inside it, even while other files on the
 * machine are renamed. */
#include "frontend/cli/tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

#define ROUNDS 200000

static const struct {
	const char *name, *target;
} links[] = {
	{ "etc/os-release", "../usr/os-release" },
	{ "etc/over-the-top", "../../../../usr/os-release" },
	{ "etc/absolute", "/usr/os-release" },
	{ "etc/magic", "/proc/self/root/etc/passwd" },
};

#define LINK_COUNT (sizeof(links) / sizeof(links[0]))

static char dir[SCRATCH_SIZE] = "tree";

/* dpkg does this all the time. */
static _Noreturn void rename_for_ever(int tree)
{
	mkdirat(tree, "a", 0755);
	for (;;) {
		renameat(tree, "a", tree, "b");
		renameat(tree, "b", tree, "a");
	}
}

/* openat2(2): EAGAIN if the kernel cannot rule out, because of a rename, that ".." led outside. */
static void check_renames(int tree)
{
	unsigned missed = 0;
	pid_t pid = fork();

	if (pid == 0)
		rename_for_ever(tree);
	for (unsigned i = 0; i < ROUNDS; i++)
		missed += !tree_has(tree, "etc/os-release", S_IFREG);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlinkat(tree, "a", AT_REMOVEDIR);
	unlinkat(tree, "b", AT_REMOVEDIR);
	tap_check(missed == 0, "a symlink with \"..\" is followed during renames: %u of %u missed",
		  missed, ROUNDS);
}

int main(void)
{
	_cleanup_close_ int tree = -1;

	if (!scratch_make(dir) || (tree = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	mkdirat(tree, "etc", 0755);
	mkdirat(tree, "usr", 0755);
	close(openat(tree, "usr/os-release", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	for (size_t i = 0; i < LINK_COUNT; i++)
		if (symlinkat(links[i].target, tree, links[i].name) < 0)
			return 1;
	tap_check(tree_has(tree, "etc/os-release", S_IFREG), "a relative symlink");
	tap_check(tree_has(tree, "etc/absolute", S_IFREG),
		  "an absolute symlink starts at the rootfs");
	tap_check(tree_has(tree, "etc/over-the-top", S_IFREG), "\"..\" ends at the rootfs");
	tap_check(!tree_has(tree, "etc/magic", 0), "/proc does not lead outside");
	tap_check(!tree_has(tree, "etc/os-release", S_IFDIR), "a file is not a directory");
	check_renames(tree);
	for (size_t i = 0; i < LINK_COUNT; i++)
		unlinkat(tree, links[i].name, 0);
	unlinkat(tree, "usr/os-release", 0);
	unlinkat(tree, "etc", AT_REMOVEDIR);
	unlinkat(tree, "usr", AT_REMOVEDIR);
	rmdir(dir);
	return tap_done();
}
