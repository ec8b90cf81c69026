/* A tree is looked at while somebody elsewhere renames files: openat2(2) then gives up on a "..",
 * as that in /etc/os-release's link, and has to be asked again. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "frontend/tree.h"
#include "tests/unit/tap.h"

#define OPENS 100000

static _Noreturn void rename_for_ever(void)
{
	for (;;)
		if (rename("one", "other") < 0 || rename("other", "one") < 0)
			_exit(1);
}

static bool make_tree(const char *folder)
{
	int one = -1, release = -1;

	if (chdir(folder) < 0 || mkdir("etc", 0755) < 0 || mkdir("usr", 0755) < 0 ||
	    symlink("../usr/os-release", "etc/os-release") < 0)
		return false;
	release = open("usr/os-release", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	one = open("one", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return release >= 0 && close(release) == 0 && one >= 0 && close(one) == 0;
}

static void remove_tree(void)
{
	static const char *const names[] = { "etc/os-release", "usr/os-release", "one", "other" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(names[i]);
	rmdir("etc");
	rmdir("usr");
}

int main(void)
{
	char folder[] = "/tmp/rootlet-tree-XXXXXX";
	bool made = mkdtemp(folder) && make_tree(folder);
	int tree = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = 0, status = 0;
	pid_t renamer = made ? fork() : -1;

	if (renamer == 0)
		rename_for_ever();
	tap_check(made && tree >= 0 && renamer > 0, "a tree, and somebody who renames");
	for (int i = 0; renamer > 0 && i < OPENS; i++) {
		int fd = tree_open(tree, "etc/os-release", O_RDONLY);

		failed += fd < 0;
		closep(&fd);
	}
	tap_check(failed == 0, "a link with \"..\" is followed meanwhile, each time");
	if (renamer > 0) {
		kill(renamer, SIGKILL);
		waitpid(renamer, &status, 0);
	}
	tap_check(WIFSIGNALED(status), "somebody renamed all the time");
	errno = 0;
	tap_check(tree_open(tree, "no/such", O_RDONLY) < 0 && errno == ENOENT,
		  "what is not there is not");
	remove_tree();
	rmdir(folder);
	return tap_done();
}
