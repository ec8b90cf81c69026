#include "helper/audit/audit.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "helper/audit/audit_backends.h"

/* Starts an empty chain: its first "prev" is all zeros. */
static void audit_begin(struct audit *a, const struct session *s)
{
	*a = (struct audit){ .session = s };
	memset(a->fds, -1, sizeof(a->fds));
	memset(a->last.hash, '0', 2 * SHA256_LEN);
}

int audit_open(struct audit *a, const struct session *s, int given, struct error **err)
{
	_cleanup_error_ struct error *error = NULL;
	bool any = false;

	audit_begin(a, s);
	a->required = s->policy->required;
	/* tzset() reads a file at its first use, which the seccomp filter will forbid. */
	tzset();
	for (size_t i = 0; i < AUDIT_BACKENDS && !error; i++) {
		a->fds[i] = audit_backends[i].open(s, given, &error);
		any = any || a->fds[i] >= 0;
	}
	if (!error && !any)
		error_set(&error, ERR_HOST, "cannot record requests: no audit backend is usable");
	if (!error || !a->required)
		return 0;
	return error_set(err, ERR_HOST, "%s; %s has audit: required = yes, so no request is served",
			 error->message, s->policy->path);
}

void audit_open_to_refuse(struct audit *a, const struct session *s)
{
	audit_begin(a, NULL);
	if (s->mode != MODE_INSTALLED || !*s->grant.caller.name)
		return;
	a->session = s;
	a->fds[AUDIT_JOURNAL] = audit_connect(JOURNAL_SOCKET);
	if (a->fds[AUDIT_JOURNAL] < 0)
		a->fds[AUDIT_SYSLOG] = audit_connect(SYSLOG_SOCKET);
}

void audit_close(struct audit *a)
{
	for (size_t i = 0; i < AUDIT_BACKENDS; i++)
		closep(&a->fds[i]);
}

int audit_write(struct audit *a, const struct record *r, struct error **err)
{
	struct audit_entry e = { .session = a->session, .record = r };
	const char *failed = NULL;

	clock_gettime(CLOCK_REALTIME, &e.time);
	/* Without a file, each helper chains its own records, so that readers of the journal or
	 * syslog can tell whether any are missing. */
	if (a->fds[AUDIT_FILE] < 0)
		entry_chain(a, &e);
	for (size_t i = 0; i < AUDIT_BACKENDS; i++)
		if (a->fds[i] >= 0 && audit_backends[i].write(a, a->fds[i], &e) < 0)
			failed = audit_backends[i].name;
	if (e.place.number)
		a->last = e.place;
	return failed ? error_errno(err, ERR_HOST, "cannot record the request in %s", failed) : 0;
}

void audit_serve(struct audit *a, int socket)
{
	struct record record;

	while (record_receive(socket, &record) && record.kind >= RECORD_INTENT &&
	       record.kind <= RECORD_REFUSAL) {
		char answer = audit_write(a, &record, NULL) < 0 && a->required;

		a->pending = record;
		if (record.kind != RECORD_INTENT || answer)
			a->pending.kind = 0;
		if (RETRY_ON_EINTR(send(socket, &answer, 1, MSG_NOSIGNAL)) < 0)
			break;
	}
	if (a->pending.kind) {
		a->pending.kind = RECORD_RESULT;
		a->pending.code = ERR_INTERRUPTED;
		snprintf(a->pending.text, sizeof(a->pending.text),
			 "rootlet-helper was killed during this request");
		audit_write(a, &a->pending, NULL);
	}
}
