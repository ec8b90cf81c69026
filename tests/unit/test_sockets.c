/* helper/starter/privileges.c: the socket families left to each helper process that may call
 * socket(2). Each is tried in a child, as root of a user namespace, before and after.
 */
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/jailer/landlock.h"

#include "tap.h"

static const struct row {
	const char *name;
	int family, type;
	bool jailer, jail;
} rows[] = {
	{ "AF_UNIX", AF_UNIX, SOCK_STREAM, true, true },
	{ "AF_NETLINK", AF_NETLINK, SOCK_RAW, true, false },
	{ "AF_INET", AF_INET, SOCK_STREAM, false, false },
	{ "AF_INET6", AF_INET6, SOCK_STREAM, false, false },
	{ "AF_PACKET", AF_PACKET, SOCK_RAW, false, false },
	{ "AF_ALG", AF_ALG, SOCK_SEQPACKET, false, false },
	{ "AF_VSOCK", AF_VSOCK, SOCK_STREAM, false, false },
	{ "no family", 4711, SOCK_STREAM, false, false },
};

/* Returns 0, or the errno of creating the row's socket under SET (-1: none). */
static int try_socket(const struct row *row, int set)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
		    (set >= 0 && landlock_drop_privileges((enum privilege_set)set, -1, NULL) < 0))
			_exit(255);
		_exit(socket(row->family, row->type, 0) < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void check(const struct row *row, int set, bool allowed)
{
	int before = try_socket(row, -1), after = try_socket(row, set);

	/* A family that this kernel lacks is refused both before and after. */
	tap_check(after == (allowed ? before : EAFNOSUPPORT), "%s: %s is %s",
		  privilege_sets[set].name, row->name, allowed ? "left" : "refused");
}

int main(void)
{
	tap_check(try_socket(&rows[0], -1) == 0 && try_socket(&rows[1], -1) == 0,
		  "sockets can be created without any filter");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		check(&rows[i], PRIVILEGES_JAILER, rows[i].jailer);
		check(&rows[i], PRIVILEGES_JAIL, rows[i].jail);
	}
	return tap_done();
}
