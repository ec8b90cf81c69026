/* rootlet-helper FIRST-UID FIRST-GID. Only rootlet starts it, with descriptor 3 as its channel.
 * Descriptor 4 may be the caller's own audit log (audit.h), and 5 their memory of release dates
 * (release_dates.h). This file is the starter, which becomes the audit process.
 *
 *   waiter   installed mode: the process that the caller started; waits for the next one
 *   audit    in the outer user namespace, but not in its pid namespace; writes the audit log
 *            (audit.c)
 *   jailer   pid 1 of the outer user namespace; starts jails, gives trees their names; never sees
 *            protobuf (jailer.c, serve.c)
 *   parser   reads what the front end sends; holds no rights                    (parser.c)
 *   jails    one for each run of package code                                   (jail.c)
 *   worker   in jails: rootlet-worker, another program                          (worker.c)
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "helper/jailer/jailer.h"
#include "helper/jailer/mount_api.h"
#include "helper/parser/parser.h"
#include "helper/starter/idmap.h"
#include "helper/starter/own_ids.h"
#include "helper/starter/privileges.h"
#include "helper/starter/root_files.h"

#define LOG 4
#define MEMORY 5
#define PATIENCE_SECONDS 600 /* with a front end that does not read */

/* Drops whatever the caller set up, except the channel, the log and the memory: environment,
 * descriptors, working directory, signal mask and timers. */
static void leave_outside(void)
{
	const struct itimerval never = { 0 };
	sigset_t none;

	/* No other process can read its memory or write its files in /proc, and a crash leaves no
	 * file. Each change of ids undoes the first call. */
	prctl(PR_SET_DUMPABLE, 0);
	privileges_limit_cores();
	clearenv();
	close_range(MEMORY + 1, ~0U, 0);
	/* A file that is opened later must not get the number of a descriptor that was not passed.
	 * Writing to these fails, as it would have. */
	for (int fd = STDIN_FILENO; fd <= MEMORY; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	for (int clock = ITIMER_REAL; clock <= ITIMER_PROF; clock++)
		setitimer(clock, &never, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(022);
	/* A new session: no terminal, no Ctrl-C. The front end usually has made it already. */
	setsid();
}

static int check_channel(struct error **err)
{
	const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	int type = 0;
	socklen_t size = sizeof(type);

	/* A shell makes its jobs group leaders, for which setsid() fails, and their terminal could
	 * stop them. */
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

/* Without a parser, standard error is the only place for an error. */
static int starter_complain(const struct error *err)
{
	fprintf(stderr, "%s\n", error_text(err));
	return 1;
}

/* Answers the front end's first request with ERR, whatever it asks for. The request is taken from
 * the queue, unread: closing the channel with a request in the queue would reset it and lose the
 * answer. */
static int starter_refuse(struct audit *audit, const struct error *err)
{
	struct record record = { .kind = RECORD_REFUSAL, .request = "Hello", .rule = "start" };
	char byte;

	record.code = err ? err->code : ERR_SYSTEM;
	snprintf(record.text, sizeof(record.text), "%s", err && err->message ? err->message : "");
	if (audit->session)
		audit_write(audit, &record, NULL);
	/* Pack the answer without any rights. */
	if (privileges_renounce() < 0)
		return 1;
	if (RETRY_ON_EINTR(recv(CHANNEL, &byte, sizeof(byte), MSG_TRUNC)) <= 0)
		return 1;
	parser_refuse(CHANNEL, err);
	return 1;
}

/* Writes the audit log until the jailer has exited. */
static int become_audit_process(struct starter *s, pid_t jailer_pid)
{
	_cleanup_error_ struct error *err = NULL;
	int status;

	/* The answer to the jailer's first record: its ids are mapped. */
	if (write(s->records[1], "", 1) != 1)
		return 1;
	close(CHANNEL);
	close(s->records[0]);
	closep(&s->session.rollback.fd);
	closep(&s->key);
	closep(&s->worker);
	/* It must not stop while it holds the log's lock. */
	for (int number = SIGTSTP; number <= SIGTTOU; number++)
		signal(number, SIG_IGN);
	/* If the first process dies, everything ends. Another change of ids would undo this:
	 * prctl(2). */
	if (s->session.mode == MODE_INSTALLED && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return 1;
	if (privileges_drop(PRIVILEGES_AUDIT, PRIVILEGES_NO_RULESET, &err) < 0)
		return starter_complain(err);
	audit_serve(&s->audit, s->records[1]);
	close(s->records[1]);
	if (RETRY_ON_EINTR(waitpid(jailer_pid, &status, 0)) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Continues in a child: whatever the caller was allowed to do to the process that they started,
 * such as prlimit(2), may still affect that one. The parent waits and returns the exit status. */
static int leave_first_process(struct error **err)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start a process");
	if (pid == 0)
		return 0;
	close_range(CHANNEL, ~0U, 0);
	/* The waiter may drop its bounding set only in a user namespace of its own. If it cannot
	 * create one, the child cannot either, and reports that. */
	if ((unshare(CLONE_NEWUSER) == 0
		     ? privileges_drop(PRIVILEGES_WAITER, PRIVILEGES_NO_RULESET, NULL)
		     : privileges_renounce()) < 0 ||
	    RETRY_ON_EINTR(waitpid(pid, &status, 0)) < 0)
		_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* Opens and creates what the processes in the outer user namespace share. */
static int starter_prepare(struct starter *s, struct error **err)
{
	bool installed = s->session.mode == MODE_INSTALLED;
	/* From here on, the caller of an installed helper cannot stop it while it holds the log's
	 * lock, nor set its limits. A caller without a range is refused at the end, so that the
	 * refusal is recorded. */
	int mapped = idmap_open(&s->session, &s->map, err);

	if (installed && leave_first_process(err) < 0)
		return -1;
	if (session_check_limits(&s->session, err) < 0) {
		audit_open_to_refuse(&s->audit, &s->session);
		return -1;
	}
	rollback_open(&s->session, MEMORY);
	if (audit_open(&s->audit, &s->session, LOG, err) < 0 || mapped < 0)
		return -1;
	s->key = snapshot_key_open(&s->session);
	s->worker = -1;
#ifndef WORKER_INSIDE
	if (worker_open(&s->session, &s->worker, err) < 0)
		return -1;
#endif
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->records) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a socket pair");
	return 0;
}

/* Gives the jailer its ids, and joins its namespaces. */
static int join_jailer(const struct starter *s, pid_t jailer_pid, struct error **err)
{
	_cleanup_close_ int process = pidfd_open(jailer_pid, 0);
	struct record start;

	if (idmap_write(&s->session, &s->map, jailer_pid, err) < 0)
		return -1;
	if (!record_receive(s->records[1], &start))
		return error_set(err, ERR_SYSTEM, "the jailer exited during its setup");
	if (start.code != ERR_NONE)
		return error_set(err, start.code, "%s", start.text);
	return idmap_join(process, err);
}

int main(int argc, char **argv)
{
	static struct starter s;
	_cleanup_error_ struct error *err = NULL;
	pid_t pid;

	own_ids_take(argc, argv, &s.map);
	leave_outside();
	if (check_channel(&err) < 0)
		return starter_complain(err);
	if (session_open(&s.session, CHANNEL, idmap_become_nobody, &err) < 0) {
		audit_open_to_refuse(&s.audit, &s.session);
		return starter_refuse(&s.audit, err);
	}
	if (starter_prepare(&s, &err) < 0 || (pid = idmap_fork(&err)) < 0)
		return starter_refuse(&s.audit, err);
	if (pid == 0)
		jailer_run(&s);
	if (join_jailer(&s, pid, &err) < 0) {
		kill(pid, SIGKILL);
		RETRY_ON_EINTR(waitpid(pid, NULL, 0));
		return starter_refuse(&s.audit, err);
	}
	return become_audit_process(&s, pid);
}
