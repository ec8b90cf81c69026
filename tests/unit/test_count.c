/* helper/tree.c: a tree is counted as it is, and no further once the front end has left. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/serve.h"
#include "helper/tree.h"

#include "tap.h"

#define FILES 100

static int make_files(int tree)
{
	char name[16];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (mkdirat(tree, name, 0700) < 0)
			return -1;
	}
	return 0;
}

int main(void)
{
	_cleanup_error_ struct error *err = NULL;
	char folder[] = "/tmp/test_count.XXXXXX";
	const struct session session = { .mode = MODE_USER };
	struct server server = { .session = &session, .recorder = -1 };
	struct tree_census census;
	int ends[2], tree;

	if (!mkdtemp(folder) || (tree = open(folder, O_RDONLY | O_DIRECTORY)) < 0 ||
	    make_files(tree) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) {
		perror("test_count");
		return 1;
	}
	server.parser = ends[0];
	tap_check(tree_count(&server, tree, &census, &err) == 0 && census.files == FILES + 1,
		  "all that is in a tree is counted, and its root");
	close(ends[1]);
	tap_check(tree_count(&server, tree, &census, &err) < 0 && err &&
			  err->code == ERR_INTERRUPTED &&
			  strstr(err->message, "the front end left"),
		  "a count ends where the front end does");
	tap_check(tree_remove(AT_FDCWD, folder, tree, NULL) == 0 && access(folder, F_OK) < 0,
		  "a removal does not");
	return tap_done();
}
