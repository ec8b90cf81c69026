#include "helper/sinks.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>

#define IDENTIFIER "rootlet-helper"
#define SINK_SECONDS 5

int sink_open_as_root(const char *path, int flags)
{
	int fd;

	capng_get_caps_process();
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_SETUID, CAP_SETGID, -1) < 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -1;
	setfsgid(0);
	setfsuid(0);
	fd = open(path, flags, 0600);
	setfsuid(getuid());
	setfsgid(getgid());
	return fd;
}

int sink_open_file(const char *path, const struct session *s, struct error **err)
{
	const int flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	_cleanup_close_ int fd = s->mode == MODE_INSTALLED ? sink_open_as_root(path, flags)
							   : open(path, flags, 0600);
	struct stat st;

	if (fd < 0)
		return error_errno(err, ERR_HOST, "cannot open the record %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(
			err, ERR_HOST,
			"the record %s must be a file of root's that nobody else can write", path);
	return steal_fd(&fd);
}

int sink_check_own(int fd, uid_t uid)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	struct stat st;

	if (flags >= 0 && (flags & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_RDWR) &&
	    fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == uid)
		return fd;
	closep(&fd);
	return -1;
}

int sink_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* One that does not read must not hold up who waits for the record. */
	const struct timeval patience = { .tv_sec = SINK_SECONDS };

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return steal_fd(&fd);
}

struct datagram {
	char text[8192];
	size_t length;
};

/* Control characters would begin another field. */
static void add(struct datagram *d, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct datagram *d, const char *format, ...)
{
	char *at = d->text + d->length;
	size_t room = sizeof(d->text) - d->length - 1;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(at, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return;
	for (char *c = at; *c; c++)
		if ((unsigned char)*c < 32 || (unsigned char)*c > 126)
			*c = '?';
	d->length += (size_t)n;
}

static void end_field(struct datagram *d)
{
	d->text[d->length++] = '\n';
}

#define FIELD(d, ...)                                                                              \
	do {                                                                                       \
		add((d), __VA_ARGS__);                                                             \
		end_field(d);                                                                      \
	} while (0)

static int priority_of(const struct record *r)
{
	if (r->kind == RECORD_REFUSAL)
		return LOG_WARNING;
	return r->kind == RECORD_RESULT && r->code != ERR_NONE ? LOG_NOTICE : LOG_INFO;
}

static void add_message(struct datagram *d, const struct session *s, const struct record *r,
			const char *kind)
{
	add(d, "%s(%u) %s %s", s->grant.caller.name, s->grant.caller.uid, kind, r->request);
	if (*r->arguments)
		add(d, " %s", r->arguments);
	add(d, " by %s", r->rule);
	if (r->kind != RECORD_INTENT)
		add(d, ": %s%s%s", error_code_name(r->code), *r->text ? ": " : "", r->text);
}

int sink_journal(int fd, const struct session *s, const struct record *r, const char *kind,
		 const struct place *place)
{
	static struct datagram d;

	d.length = 0;
	add(&d, "MESSAGE=");
	add_message(&d, s, r, kind);
	end_field(&d);
	FIELD(&d, "PRIORITY=%d", priority_of(r));
	FIELD(&d, "SYSLOG_FACILITY=%d", LOG_FAC(LOG_AUTHPRIV));
	FIELD(&d, "SYSLOG_IDENTIFIER=" IDENTIFIER);
	FIELD(&d, "ROOTLET_KIND=%s", kind);
	FIELD(&d, "ROOTLET_REQUEST=%s", r->request);
	FIELD(&d, "ROOTLET_ARGUMENTS=%s", r->arguments);
	FIELD(&d, "ROOTLET_DECISION=%s", r->kind == RECORD_REFUSAL ? "refused" : "allowed");
	FIELD(&d, "ROOTLET_RULE=%s", r->rule);
	FIELD(&d, "ROOTLET_MODE=%s", mode_name(s->mode));
	FIELD(&d, "ROOTLET_USER=%s", s->grant.caller.name);
	FIELD(&d, "ROOTLET_UID=%u", s->grant.caller.uid);
	FIELD(&d, "ROOTLET_GID=%u", s->grant.caller.gid);
	FIELD(&d, "ROOTLET_PID=%d", s->front_end);
	if (s->login_uid != UINT32_MAX)
		FIELD(&d, "ROOTLET_LOGIN_UID=%u", s->login_uid);
	if (s->audit_session != UINT32_MAX)
		FIELD(&d, "ROOTLET_SESSION=%u", s->audit_session);
	if (r->kind != RECORD_INTENT) {
		FIELD(&d, "ROOTLET_RESULT=%s", error_code_name(r->code));
		FIELD(&d, "ROOTLET_MILLISECONDS=%" PRIu64, r->milliseconds);
	}
	if (place) {
		FIELD(&d, "ROOTLET_SEQ=%" PRIu64, place->number);
		FIELD(&d, "ROOTLET_PREV=%s", place->prev);
		FIELD(&d, "ROOTLET_HASH=%s", place->hash);
	}
	return send(fd, d.text, d.length, MSG_NOSIGNAL) == (ssize_t)d.length ? 0 : -1;
}

int sink_syslog(int fd, const struct session *s, const struct record *r, const char *kind,
		const struct place *place)
{
	static struct datagram d;

	d.length = 0;
	add(&d, "<%d>" IDENTIFIER "[%d]: ", LOG_AUTHPRIV | priority_of(r), getpid());
	add_message(&d, s, r, kind);
	if (place)
		add(&d, " (%" PRIu64 " %s)", place->number, place->hash);
	return send(fd, d.text, d.length, MSG_NOSIGNAL) == (ssize_t)d.length ? 0 : -1;
}
