#include "helper/jailer/jailer.h"

#include <linux/securebits.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "helper/jailer/dispatch.h"
#include "helper/parser/parser.h"
#include "helper/starter/idmap.h"
#include "helper/starter/privileges.h"

int jailer_leave_host(struct error **err)
{
	return unshare(IDMAP_HOST_PARTS) < 0 ? idmap_explain("namespaces", err) : 0;
}

int jailer_act_for_caller(struct error **err)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 ||
	    setresgid(SPARE_ID, SPARE_ID, SPARE_ID) < 0 ||
	    setresuid(SPARE_ID, SPARE_ID, SPARE_ID) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot become the range's spare id");
	/* These calls only return the previous id, so check with another call. */
	setfsgid(CALLER_ID);
	setfsuid(CALLER_ID);
	if (setfsgid(SPARE_ID + 1) != (int)CALLER_ID || setfsuid(SPARE_ID + 1) != (int)CALLER_ID)
		return error_set(err, ERR_SYSTEM, "cannot use the caller's id for files");
	return 0;
}

/* Reports the outcome of the start, in the form that record_receive() takes. */
static int tell_starter(int records, const struct error *error)
{
	struct record r = { .code = error ? error->code : ERR_NONE };

	snprintf(r.text, sizeof(r.text), "%s", error && error->message ? error->message : "");
	return packet_send(records, &r, sizeof(r), NULL, 0, NULL);
}

/* Starts the parser, a child of the jailer. Returns the jailer's end of their socket pair, or
 * -1. */
static int start_parser(const struct starter *s, struct error **err)
{
	int ends[2];
	pid_t pid;

	if (packet_pair(ends, err) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start the parser");
	if (pid == 0) {
		close(ends[0]);
		close(s->records[0]);
		closep(&(int){ s->session.rollback.fd });
		closep(&(int){ s->key });
		closep(&(int){ s->worker });
		if (privileges_drop(PRIVILEGES_PARSER, PRIVILEGES_NO_RULESET, err) < 0)
			_exit(1);
		parser_run(CHANNEL, ends[1]);
	}
	close(ends[1]);
	close(CHANNEL);
	return ends[0];
}

/* Without a parser, standard error is the only place for an error. */
static _Noreturn void jailer_give_up(const struct error *err)
{
	fprintf(stderr, "%s\n", error_text(err));
	_exit(1);
}

/* End of file means that the parent died, even if that was too early for its death signal. */
static void wait_for_ids(const struct starter *s)
{
	char byte;

	if (read(s->records[0], &byte, 1) != 1)
		_exit(1);
}

_Noreturn void jailer_run(struct starter *s)
{
	bool installed = s->session.mode == MODE_INSTALLED;
	_cleanup_error_ struct error *err = NULL;
	int parser = -1, left;

	close(s->records[1]);
	audit_close(&s->audit);
	left = jailer_leave_host(&err);
	if (tell_starter(s->records[0], err) < 0 || left < 0)
		_exit(1);
	if (installed) {
		wait_for_ids(s);
		if (jailer_act_for_caller(&err) < 0)
			jailer_give_up(err);
	}
	/* The jailer dies with the audit process: without that, nothing can be recorded, so nothing
	 * may be done. As pid 1 of its namespace, the jailer takes everything in there along. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    privileges_drop(PRIVILEGES_JAILER, PRIVILEGES_NO_RULESET, &err) == 0)
		parser = start_parser(s, &err);
	if (parser < 0)
		jailer_give_up(err);
	if (!installed)
		wait_for_ids(s);
	/* Its maps are written, so it no longer has to be dumpable. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		_exit(1);
	if (packet_send(parser, "", 1, NULL, 0, NULL) < 0)
		_exit(1);
	_exit(dispatch_serve(parser, s->records[0], s->key, s->worker, &s->session, &s->map));
}
