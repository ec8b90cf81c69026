/* The backends of the audit log: which files are accepted as logs, and that text in a record cannot
 * inject journal fields. The contents of a log: tests/integration/audit.py. */
#include "helper/audit/audit.h"
#include "helper/audit/audit_file.h"
#include "helper/starter/root_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

static struct policy policy = { .path = "policy.conf" };
static struct session session = {
	.mode = MODE_ROOT,
	.policy = &policy,
	.grant.caller = { .uid = 1000, .name = "lab" },
	.login_uid = UINT32_MAX,
	.audit_session = 7,
};

/* Writes to BACKEND, and to a file at FILE unless that is -1. */
static int write_to(enum audit_backend backend, int fd, int file, const struct record *r)
{
	struct audit a = { .session = &session, .fds = { file, -1, -1 } };

	a.fds[backend] = fd;
	return audit_write(&a, r, NULL);
}

static void check_fields(void)
{
	struct record record = { .kind = RECORD_REFUSAL, .code = ERR_REFUSED };
	_cleanup_close_ int broken = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char text[8192] = "\n";
	int ends[2];
	ssize_t n;

	snprintf(record.request, sizeof(record.request), "Begin");
	snprintf(record.arguments, sizeof(record.arguments), "x\nROOTLET_UID=0\n\x1b[2J");
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
		abort();
	tap_check(write_to(AUDIT_JOURNAL, ends[0], -1, &record) == 0,
		  "a record goes to the journal");
	n = read(ends[1], text + 1, sizeof(text) - 2);
	tap_check(n > 0 && !strstr(text, "\nROOTLET_UID=0\n") &&
			  strstr(text, "\nROOTLET_UID=1000\n") &&
			  strstr(text, "\nROOTLET_SEQ=1\n") &&
			  strstr(text, "\nROOTLET_ARGUMENTS=x?ROOTLET_UID=0??[2J\n"),
		  "text in a record cannot start a field");
	tap_check(write_to(AUDIT_JOURNAL, ends[0], broken, &record) == -1,
		  "a failure to write to the file is reported");
	memset(text + 1, 0, sizeof(text) - 1);
	n = read(ends[1], text + 1, sizeof(text) - 2);
	tap_check(n > 0 && !strstr(text, "LOGIN_UID") && strstr(text, "\nROOTLET_SESSION=7\n") &&
			  !strstr(text, "ROOTLET_SEQ"),
		  "unknown values get no field");
	tap_check(write_to(AUDIT_SYSLOG, ends[0], -1, &record) == 0, "to syslog");
	memset(text, 0, sizeof(text));
	n = read(ends[1], text, sizeof(text) - 1);
	tap_check(n > 0 && !strchr(text, '\n') && strstr(text, "lab(1000) refusal Begin x?ROOTLET"),
		  "a syslog record is one line");
	close(ends[1]);
	tap_check(write_to(AUDIT_JOURNAL, ends[0], -1, &record) == -1 &&
			  write_to(AUDIT_SYSLOG, ends[0], -1, &record) == -1,
		  "a missing syslog is reported");
	close(ends[0]);
}

/* The failing backend is named even if others succeeded. */
static void check_broken(void)
{
	static const struct {
		const char *says;
		bool journal, syslog; /* works */
	} rows[] = { { "in the journal", false, true }, { "in syslog", true, false } };
	const struct record record = { .kind = RECORD_INTENT, .request = "Begin" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		struct audit a = { .session = &session, .fds = { -1, -1, -1 } };
		int journal[2], syslog[2];

		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, journal) < 0 ||
		    socketpair(AF_UNIX, SOCK_DGRAM, 0, syslog) < 0)
			abort();
		a.fds[AUDIT_JOURNAL] = journal[0];
		a.fds[AUDIT_SYSLOG] = syslog[0];
		close(rows[i].journal ? syslog[1] : journal[1]);
		tap_check(audit_write(&a, &record, &err) == -1 && err && err->code == ERR_HOST &&
				  strstr(err->message, rows[i].says),
			  "a failure to record %s is named", rows[i].says);
		close(rows[i].journal ? journal[1] : syslog[1]);
		close(journal[0]);
		close(syslog[0]);
	}
}

static int open_log(const char *path, struct error **err)
{
	char file[256];

	snprintf(file, sizeof(file), "%s", path);
	policy.file = file;
	return audit_file_open(&session, -1, err);
}

static void check_file(const char *dir)
{
	static const struct {
		const char *what;
		uid_t owner;
		mode_t mode;
		bool good;
	} rows[] = { { "root's file", 0, 0600, true },
		     { "a world-readable file", 0, 0644, true },
		     { "a group-writable file", 0, 0620, false },
		     { "a world-writable file", 0, 0602, false },
		     { "another user's", 1000, 0600, false } };
	char path[256];

	snprintf(path, sizeof(path), "%s/log", dir);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		_cleanup_close_ int made = open(path, O_WRONLY | O_CREAT, 0600), fd = -1;

		if (fchown(made, rows[i].owner, 0) < 0 || fchmod(made, rows[i].mode) < 0)
			abort();
		fd = open_log(path, &err);
		tap_check((fd >= 0) == rows[i].good && (rows[i].good || err->code == ERR_HOST),
			  "%s: %s", rows[i].what, rows[i].good ? "taken" : "refused");
		unlink(path);
	}
}

static void check_no_file(const char *dir)
{
	_cleanup_error_ struct error *err = NULL;
	char path[256];

	tap_check(open_log(dir, &err) == -1 && err && err->code == ERR_HOST,
		  "a directory: refused");
	error_free(&err);
	snprintf(path, sizeof(path), "%s/link", dir);
	if (symlink("/dev/null", path) < 0)
		abort();
	tap_check(open_log(path, &err) == -1 && err && err->code == ERR_HOST, "a link: refused");
	error_free(&err);
	unlink(path);
	tap_check(audit_connect("/nowhere/socket") == -1, "a missing socket");
}

/* The caller's own log, passed as a descriptor. */
static void check_own(const char *dir)
{
	static const struct {
		const char *what;
		int flags;
		uid_t uid; /* beside one's own */
		bool good;
	} rows[] = { { "for appending", O_RDWR | O_APPEND, 0, true },
		     { "for writing anywhere", O_RDWR, 0, false },
		     { "for writing only", O_WRONLY | O_APPEND, 0, false },
		     { "of another's", O_RDWR | O_APPEND, 1, false } };
	char path[256];

	snprintf(path, sizeof(path), "%s/own", dir);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int fd = open(path, rows[i].flags | O_CREAT | O_CLOEXEC, 0600);
		int got = file_check(fd, geteuid() + rows[i].uid, O_RDWR | O_APPEND);

		tap_check(fd >= 0 && got == (rows[i].good ? fd : -1) &&
				  (fcntl(fd, F_GETFD) >= 0) == rows[i].good,
			  "the caller's file open %s: %s", rows[i].what,
			  rows[i].good ? "taken" : "closed");
		if (got >= 0)
			close(got);
	}
	unlink(path);
	tap_check(file_check(-1, 0, O_RDWR | O_APPEND) == -1, "no file from the caller");
}

int main(void)
{
	char dir[SCRATCH_SIZE] = "backends";

	if (!scratch_make(dir))
		return 1;
	check_fields();
	check_broken();
	check_own(dir);
	check_no_file(dir);
	if (geteuid() == 0)
		check_file(dir);
	else
		printf("ok %u - root's file # SKIP needs root\n", ++tap_count);
	rmdir(dir);
	return tap_done();
}
