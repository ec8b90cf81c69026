/* rootlet-helper: started by rootlet with descriptor 3 as its channel, and by nobody else.
 * Descriptor 4 may be the caller's own record of requests (audit.h), and 5 his memory of release
 * dates (rollback.h).
 *
 *   waiter   installed, the process that the caller has started: waits for the next
 *   outer    in level 1, but for its pid namespace; keeps the record       (audit.c)
 *   jailer   pid 1 of level 1; starts jails, moves trees; never sees protobuf   (serve.c)
 *   parser   reads what the front end sends; holds nothing                      (parser.c)
 *   jails    one for each thing that package code does                          (jail.c)
 *   worker   in jails: rootlet-worker, another program                          (worker.c)
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "helper/audit.h"
#include "helper/idmap.h"
#include "helper/parser.h"
#include "helper/privileges.h"
#include "helper/rollback.h"
#include "helper/serve.h"
#include "helper/worker.h"
#include "proto/standard.h"

#define CHANNEL 3
#define RECORD 4
#define MEMORY 5
#define PATIENCE_SECONDS 600 /* with a front end that does not read */

/* Nothing from outside is left but the channel, the record and the memory: no environment, no
 * descriptor, no folder, no signal mask, no timer. */
static void leave_outside(void)
{
	const struct itimerval never = { 0 };
	sigset_t none;

	/* Its memory and its files in /proc are nobody's, and a crash is no file of anybody's. Each
	 * change of ids undoes the first. */
	prctl(PR_SET_DUMPABLE, 0);
	privileges_limit_cores();
	clearenv();
	close_range(MEMORY + 1, ~0U, 0);
	standard_descriptors_open();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	for (int clock = ITIMER_REAL; clock <= ITIMER_PROF; clock++)
		setitimer(clock, &never, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(022);
	/* A session of its own: no terminal, no Ctrl-C. The front end has done so already. */
	setsid();
}

static int check_channel(struct error **err)
{
	const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	int type = 0;
	socklen_t size = sizeof(type);

	/* A job of a shell's does not get a session of its own, and its terminal could stop it. */
	if (getsockopt(CHANNEL, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET ||
	    getsid(0) != getpid())
		return error_set(err, ERR_REFUSED,
				 "rootlet-helper is started by rootlet, not by hand; run: rootlet "
				 "--help");
	if (setsockopt(CHANNEL, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    chdir("/") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the channel");
	return 0;
}

struct start {
	struct session session;
	struct audit audit;
	struct idmap map;
	int recorder[2]; /* the jailer's end, the outer's end; first it tells how the start went */
	int mapped[2];	 /* a pipe that tells the jailer that it has ids */
	int key;	 /* the jailer's: snapshot_key_open() */
	int worker;	 /* the jailer's: worker_open() */
};

/* A pair of sockets between two processes of ours, close-on-exec. */
static int make_pair(int ends[2], struct error **err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a socket pair");
	return 0;
}

/* The parser, child of the jailer. Returns the jailer's end of what connects them, or -1. */
static int start_parser(const struct start *s, struct error **err)
{
	int ends[2];
	pid_t pid;

	if (make_pair(ends, err) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start the parser");
	if (pid == 0) {
		close(ends[0]);
		close(s->recorder[0]);
		closep(&(int){ s->session.rollback.fd });
		closep(&(int){ s->key });
		closep(&(int){ s->worker });
		if (privileges_drop(PRIVILEGES_PARSER, -1, err) < 0)
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
static int refuse(struct audit *audit, const struct error *err)
{
	struct record record = { .kind = RECORD_REFUSAL, .request = "Hello", .rule = "start" };
	char byte;

	record.code = err ? err->code : ERR_SYSTEM;
	snprintf(record.text, sizeof(record.text), "%s", err && err->message ? err->message : "");
	if (audit->session)
		audit_write(audit, &record, NULL);
	if (RETRY_ON_EINTR(recv(CHANNEL, &byte, sizeof(byte), MSG_TRUNC)) <= 0)
		return 1;
	parser_refuse(CHANNEL, err);
	return 1;
}

/* The other end tells of a parent that had died before its end could be told by a signal, as well.
 */
static void wait_for_ids(const struct start *s)
{
	char byte;

	if (read(s->mapped[0], &byte, 1) != 1)
		_exit(1);
	close(s->mapped[0]);
}

static _Noreturn void jailer(struct start *s)
{
	bool installed = s->session.mode == MODE_INSTALLED;
	_cleanup_error_ struct error *err = NULL;
	int parser = -1, r;

	close(s->mapped[1]);
	close(s->recorder[1]);
	closep(&s->audit.file);
	closep(&s->audit.journal);
	closep(&s->audit.syslog);
	r = idmap_leave_host(&err);
	note_result(s->recorder[0], err, 0);
	if (r < 0)
		_exit(1);
	if (installed) {
		wait_for_ids(s);
		if (idmap_act_for_caller(&err) < 0)
			_exit(complain(err));
	}
	/* Pid 1 of the namespace: with it everything in there ends. Without the outer nothing is
	 * done, as nothing can be recorded. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    privileges_drop(PRIVILEGES_JAILER, -1, &err) == 0)
		parser = start_parser(s, &err);
	if (parser < 0)
		_exit(complain(err));
	if (!installed)
		wait_for_ids(s);
	/* Its maps are written. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		_exit(1);
	if (packet_send(parser, "", 1, NULL, 0, NULL) < 0)
		_exit(1);
	_exit(serve(parser, s->recorder[0], s->key, s->worker, &s->session, &s->map));
}

/* Keeps the record until the jailer has left. */
static int outer(struct start *s, pid_t jailer_pid)
{
	static const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	_cleanup_error_ struct error *err = NULL;
	int status;

	if (write(s->mapped[1], "", 1) != 1)
		return 1;
	close(CHANNEL);
	close(s->mapped[0]);
	close(s->recorder[0]);
	closep(&s->session.rollback.fd);
	closep(&s->key);
	closep(&s->worker);
	/* It must not stop while it has the record's lock. */
	for (size_t i = 0; i < sizeof(stops) / sizeof(*stops); i++)
		signal(stops[i], SIG_IGN);
	/* With the first process all ends. A change of ids would undo this: prctl(2). */
	if (s->session.mode == MODE_INSTALLED && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return 1;
	if (privileges_drop(PRIVILEGES_OUTER, -1, &err) < 0)
		return complain(err);
	audit_serve(&s->audit, s->recorder[1]);
	close(s->recorder[1]);
	if (RETRY_ON_EINTR(waitpid(jailer_pid, &status, 0)) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Goes on in a child: what the kernel let the caller do to the process that he has started may
 * still be on its way, prlimit(2) for one. That process waits, and says how it ended. */
static int leave_first_process(struct error **err)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start a process");
	if (pid == 0)
		return 0;
	close_range(CHANNEL, ~0U, 0);
	/* Only in a namespace of its own it has the right to drop its bounding set. Where it can
	 * make none, the other cannot either, and says so. */
	if ((unshare(CLONE_NEWUSER) == 0 ? privileges_drop(PRIVILEGES_WAITER, -1, NULL)
					 : privileges_renounce(NULL)) < 0 ||
	    RETRY_ON_EINTR(waitpid(pid, &status, 0)) < 0)
		_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* What the processes of level 1 are to share. */
static int prepare(struct start *s, struct error **err)
{
	bool installed = s->session.mode == MODE_INSTALLED;
	/* From here on the caller of an installed helper cannot stop it, with the record's lock in
	 * its hand, nor set its limits. Who has no range is told so, and that is recorded, last. */
	int mapped = idmap_open(&s->session, &s->map, err);

	if (installed && leave_first_process(err) < 0)
		return -1;
	if (session_check_limits(&s->session, err) < 0) {
		audit_open_to_refuse(&s->audit, &s->session);
		return -1;
	}
	rollback_open(&s->session, MEMORY);
	if (audit_open(&s->audit, &s->session, RECORD, err) < 0 || mapped < 0)
		return -1;
	s->key = snapshot_key_open(&s->session);
	if (worker_open(&s->session, &s->worker, err) < 0)
		return -1;
	if (pipe2(s->mapped, O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
	return make_pair(s->recorder, err);
}

/* Gives the jailer its ids, and joins it. */
static int join(const struct start *s, pid_t jailer_pid, struct error **err)
{
	_cleanup_close_ int process = pidfd_open(jailer_pid, 0);
	int none[PACKET_FDS_MAX];
	struct note note;
	size_t count;

	if (idmap_write(&s->session, &s->map, jailer_pid, err) < 0)
		return -1;
	if (packet_receive(s->recorder[1], &note, sizeof(note), none, &count, NULL) !=
	    (ssize_t)sizeof(note))
		return error_set(err, ERR_SYSTEM, "the jailer died while it was set up");
	return note_error(&note, err) < 0 ? -1 : idmap_join(process, err);
}

int main(void)
{
	static struct start s;
	_cleanup_error_ struct error *err = NULL;
	pid_t pid;

	leave_outside();
	if (check_channel(&err) < 0)
		return complain(err);
	if (session_open(&s.session, CHANNEL, &err) < 0) {
		audit_open_to_refuse(&s.audit, &s.session);
		return refuse(&s.audit, err);
	}
	if (prepare(&s, &err) < 0 || (pid = idmap_fork(&err)) < 0)
		return refuse(&s.audit, err);
	if (pid == 0)
		jailer(&s);
	if (join(&s, pid, &err) < 0) {
		kill(pid, SIGKILL);
		RETRY_ON_EINTR(waitpid(pid, NULL, 0));
		return refuse(&s.audit, err);
	}
	return outer(&s, pid);
}
