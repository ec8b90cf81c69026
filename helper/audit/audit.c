#include "helper/audit/audit.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "helper/audit/audit_file.h"
#include "helper/audit/audit_text.h"

#define SOCKET_SECONDS 5

/* Each takes a record as one datagram. */
static const struct audit_socket {
	const char *name, *path;
	void (*format)(struct audit_text *t, const struct audit_entry *e);
} sockets[AUDIT_BACKENDS] = {
	[AUDIT_JOURNAL] = { "the journal", "/run/systemd/journal/socket", audit_text_journal },
	[AUDIT_SYSLOG] = { "syslog", "/dev/log", audit_text_syslog },
};

bool record_receive(int socket, struct record *r)
{
	if (RETRY_ON_EINTR(recv(socket, r, sizeof(*r), MSG_TRUNC)) != (ssize_t)sizeof(*r))
		return false;
	r->request[sizeof(r->request) - 1] = '\0';
	r->arguments[sizeof(r->arguments) - 1] = '\0';
	r->rule[sizeof(r->rule) - 1] = '\0';
	r->text[sizeof(r->text) - 1] = '\0';
	return true;
}

/* Starts an empty chain: its first "prev" is all zeros. */
static void audit_begin(struct audit *a, const struct session *s)
{
	*a = (struct audit){ .session = s };
	memset(a->fds, -1, sizeof(a->fds));
	memset(a->last.hash, '0', 2 * SHA256_LEN);
}

int audit_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* A daemon that does not read must not hold up the request. */
	const struct timeval patience = { .tv_sec = SOCKET_SECONDS };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return steal_fd(&fd);
}

int audit_open(struct audit *a, const struct session *s, int given, struct error **err)
{
	const bool wanted[] = {
		[AUDIT_JOURNAL] = s->policy->journal, [AUDIT_SYSLOG] = s->policy->syslog
	};
	_cleanup_error_ struct error *error = NULL;

	audit_begin(a, s);
	a->required = s->policy->required;
	/* tzset() reads a file at its first use, which the seccomp filter will forbid. */
	tzset();
	a->fds[AUDIT_FILE] = audit_file_open(s, given, &error);
	for (int i = AUDIT_JOURNAL; i <= AUDIT_SYSLOG; i++)
		if (wanted[i] && (a->fds[i] = audit_connect(sockets[i].path)) < 0)
			error_errno(&error, ERR_HOST, "cannot reach %s at %s", sockets[i].name,
				    sockets[i].path);
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
	a->fds[AUDIT_JOURNAL] = audit_connect(sockets[AUDIT_JOURNAL].path);
	if (a->fds[AUDIT_JOURNAL] < 0)
		a->fds[AUDIT_SYSLOG] = audit_connect(sockets[AUDIT_SYSLOG].path);
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
	struct audit_text t;

	clock_gettime(CLOCK_REALTIME, &e.time);
	if (a->fds[AUDIT_FILE] < 0) {
		/* Each helper chains its own records, so that readers of the journal or syslog can
		 * tell whether any are missing. */
		audit_follow(a, &e);
		audit_text_line(&t, &e);
	} else if (audit_file_write(a, &e) < 0) {
		failed = "the file";
	}
	for (int i = AUDIT_JOURNAL; i <= AUDIT_SYSLOG; i++) {
		if (a->fds[i] < 0)
			continue;
		sockets[i].format(&t, &e);
		if (send(a->fds[i], t.bytes, t.length, MSG_NOSIGNAL) != (ssize_t)t.length)
			failed = sockets[i].name;
	}
	if (e.place.number)
		a->last = e.place;
	return failed ? error_errno(err, ERR_HOST, "cannot record the request in %s", failed) : 0;
}

void audit_serve(struct audit *a, int socket)
{
	struct record record, pending = { 0 }; /* an intent without its result */

	while (record_receive(socket, &record) && record.kind >= RECORD_INTENT &&
	       record.kind <= RECORD_REFUSAL) {
		char answer = audit_write(a, &record, NULL) < 0 && a->required;

		pending = record;
		if (record.kind != RECORD_INTENT || answer)
			pending.kind = 0;
		if (RETRY_ON_EINTR(send(socket, &answer, 1, MSG_NOSIGNAL)) < 0)
			break;
	}
	if (!pending.kind)
		return;
	pending.kind = RECORD_RESULT;
	pending.code = ERR_INTERRUPTED;
	snprintf(pending.text, sizeof(pending.text),
		 "rootlet-helper was killed during this request");
	audit_write(a, &pending, NULL);
}
