/* rootlet-helper: started by rootlet with descriptor 3 as its channel, and by nobody else.
 *
 *   outer    in level 1, but for its pid namespace; waits, and holds nothing
 *   jailer   pid 1 of level 1; starts jails, moves trees; never sees protobuf   (serve.c)
 *   parser   reads what the front end sends; holds nothing                      (parser.c)
 *   builder  in the tool jail; checks the chain of trust, lays out the mirror   (builder.c)
 *   jails    one for each thing that package code does                          (jail.c)
 */
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "helper/idmap.h"
#include "helper/parser.h"
#include "helper/privileges.h"
#include "helper/serve.h"

#define CHANNEL 3

/* Nothing from outside is left but the channel: no environment, no descriptor, no signal mask. */
static void leave_outside(void)
{
	sigset_t none;

	clearenv();
	close_range(CHANNEL + 1, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	/* A session of its own: no terminal, no Ctrl-C. The front end has done so already. */
	setsid();
}

static int check_channel(struct error **err)
{
	int type = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(CHANNEL, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
		return error_set(err, ERR_REFUSED,
				 "rootlet-helper is started by rootlet, not by hand; run: rootlet "
				 "--help");
	return 0;
}

/* The parser, child of the jailer. Returns the jailer's end of what connects them, or -1. */
static int start_parser(struct error **err)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a socket pair");
	pid = fork();
	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start the parser");
	if (pid == 0) {
		close(ends[0]);
		if (privileges_drop(PRIVILEGES_PARSER, err) < 0)
			_exit(1);
		parser_run(CHANNEL, ends[1]);
	}
	close(ends[1]);
	close(CHANNEL);
	return ends[0];
}

/* Before there is a parser an error can only be told on standard error. */
static int complain(const struct error *err)
{
	fprintf(stderr, "%s\n", err && err->message ? err->message : "out of memory");
	return 1;
}

/* Before there is a parser, whatever the front end asks first is answered with ERR. It is taken
 * from the queue, unread: to close with it in there would reset the channel and lose the answer. */
static int refuse(const struct error *err)
{
	char byte;

	if (RETRY_ON_EINTR(recv(CHANNEL, &byte, sizeof(byte), MSG_TRUNC)) <= 0)
		return 1;
	parser_refuse(CHANNEL, err);
	return 1;
}

static _Noreturn void jailer(const struct idmap *map, const int alive[2])
{
	_cleanup_error_ struct error *err = NULL;
	int parser = -1;
	char byte;

	close(alive[1]);
	/* Pid 1 of the namespace: with it everything in there ends. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) {
		/* Its end of the pipe tells a parent that had died before that call. */
		if (read(alive[0], &byte, 1) == 1 && privileges_drop(PRIVILEGES_JAILER, &err) == 0)
			parser = start_parser(&err);
	}
	if (parser < 0)
		_exit(complain(err));
	close(alive[0]);
	_exit(serve(parser, map));
}

int main(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct idmap map = { 0 };
	int alive[2], status;
	pid_t pid;

	if (check_channel(&err) < 0)
		return complain(err);
	leave_outside();
	if (idmap_enter(&map, &err) < 0)
		return refuse(err);
	/* No mounts of its own: those that it sees stay the caller's, which nobody here has the
	 * right to change, and only into a copy of them can a jail take a folder by its descriptor:
	 * open_tree(2) refuses one of another mount namespace. */
	if (unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET) < 0 ||
	    pipe(alive) < 0) {
		error_errno(&err, ERR_HOST, "cannot make namespaces");
		return refuse(err);
	}
	pid = fork();
	if (pid < 0) {
		error_errno(&err, ERR_SYSTEM, "cannot start the jailer");
		return refuse(err);
	}
	if (pid == 0)
		jailer(&map, alive);
	close(CHANNEL);
	close(alive[0]);
	if (privileges_drop(PRIVILEGES_OUTER, &err) < 0 || write(alive[1], "", 1) != 1)
		return complain(err);
	if (RETRY_ON_EINTR(waitpid(pid, &status, 0)) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
