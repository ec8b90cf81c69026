#include "frontend/client/client.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/client/own_subids.h"
#include "frontend/client/release_seen.h"
#include "proto/channel.h"

#define CHANNEL_IN_HELPER 3
#define RECORD_IN_HELPER 4
#define MEMORY_IN_HELPER 5
#define DIAGNOSTICS_MAX 4096
#define HURRY_MS 50 /* how often to poll interrupt_hurried() */

struct helper {
	pid_t pid;
	int channel;
	int diagnostics; /* memfd: the helper's standard error, which must not be a terminal */
	struct host_ids ids;
	struct progress *progress;
	void (*log)(const char *line, void *context);
	void *log_context;
	bool gone; /* the channel is dead */
	unsigned char packet[PACKET_MAX];
};

static void reply_free(Rootlet__Reply **reply)
{
	if (*reply)
		rootlet__reply__free_unpacked(*reply, NULL);
}

/* Runs between fork and exec: only async-signal-safe calls. If exec fails, writes errno to STATUS.
 */
static _Noreturn void helper_exec(const char *path, char *const *argv, int channel, int diagnostics,
				  int record, int memory, int status)
{
	char *environment[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), number;
	sigset_t none;
	ssize_t n;

	setsid();
	/* Move to numbers above those overwritten below; the originals are close-on-exec. */
	channel = fcntl(channel, F_DUPFD_CLOEXEC, 10);
	diagnostics = fcntl(diagnostics, F_DUPFD_CLOEXEC, 10);
	status = fcntl(status, F_DUPFD_CLOEXEC, 10);
	record = fcntl(record, F_DUPFD_CLOEXEC, 10);
	memory = fcntl(memory, F_DUPFD_CLOEXEC, 10);
	if (null >= 0 && channel >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
	    dup2(diagnostics, 2) >= 0 && dup2(channel, CHANNEL_IN_HELPER) >= 0) {
		/* The helper closes unknown descriptors too; this way it never even has them. */
		close_range(CHANNEL_IN_HELPER + 1, ~0U, CLOSE_RANGE_CLOEXEC);
		if (record >= 0)
			dup2(record, RECORD_IN_HELPER);
		if (memory >= 0)
			dup2(memory, MEMORY_IN_HELPER);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(path, argv, environment);
	}
	number = errno;
	n = write(status, &number, sizeof(number));
	_exit(n > 0 ? 127 : 126);
}

/* Forks with every signal blocked, so that a Ctrl-C cannot hit the child before it has its own
 * session. */
static pid_t helper_fork(const char *path, char *const *argv, int channel, int diagnostics,
			 int record, int memory, int status)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0)
		helper_exec(path, argv, channel, diagnostics, record, memory, status);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* Opens the caller's own audit log, which the helper writes if it has no better place. A failure is
 * not an error: this log proves nothing against its owner. */
static int open_record(void)
{
	_cleanup_free_ char *path = paths_state("audit.log", NULL);

	if (!path || dir_make_above(path) < 0)
		return -1;
	return open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* An installed helper takes its ids from root's policy, whatever it is told. */
static int find_own_ids(char ids[static 2][16], struct error **err)
{
	struct subids subids;

	if (!own_subids_find(&subids) && !helper_is_installed())
		return error_set(err, ERR_HOST, "cannot map user ids: %s; %s%s", subids.why,
				 own_subids_ask(&subids), subids.fix);
	snprintf(ids[0], sizeof(ids[0]), "%u", subids.first_uid);
	snprintf(ids[1], sizeof(ids[1]), "%u", subids.first_gid);
	return 0;
}

static int helper_spawn(struct helper *h, struct error **err)
{
	_cleanup_free_ char *path = paths_helper(err);
	char name[] = "rootlet-helper", ids[2][16], *argv[] = { name, ids[0], ids[1], NULL };
	_cleanup_close_ int theirs = -1, status_read = -1, status_write = -1;
	_cleanup_close_ int record = open_record(), memory = release_seen_open(NULL, NULL);
	int pair[2], status[2], number = 0;

	if (!path || find_own_ids(ids, err) < 0)
		return -1;
	h->diagnostics = memfd_create("diagnostics", MFD_CLOEXEC);
	if (h->diagnostics < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create the channel to rootlet-helper");
	h->channel = pair[0];
	theirs = pair[1];
	if (pipe2(status, O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a pipe");
	status_read = status[0];
	status_write = status[1];
	h->pid = helper_fork(path, argv, theirs, h->diagnostics, record, memory, status_write);
	if (h->pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start %s", path);
	closep(&status_write);
	status_write = -1;
	if (RETRY_ON_EINTR(read(status_read, &number, sizeof(number))) == sizeof(number)) {
		errno = number;
		if (number == ENOENT)
			return error_set(err, ERR_HOST,
					 "cannot start %s: it does not exist; install all of "
					 "rootlet with: meson install",
					 path);
		return error_errno(err, ERR_HOST, "cannot start %s", path);
	}
	return 0;
}

/* Adds the end of the helper's standard error, which says why it exited if it could tell. */
static int helper_lost(struct helper *h, struct error **err)
{
	char text[DIAGNOSTICS_MAX + 1];
	off_t size = lseek(h->diagnostics, 0, SEEK_END);
	ssize_t n;

	h->gone = true;
	n = pread(h->diagnostics, text, DIAGNOSTICS_MAX,
		  size > DIAGNOSTICS_MAX ? size - DIAGNOSTICS_MAX : 0);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0) {
		text[n] = '\0';
		for (char *c = text; (c = strchr(c, '\n'));)
			*c = ';';
		return error_set(err, ERR_SYSTEM, "rootlet-helper exited without a reply: %s",
				 text);
	}
	return error_set(err, ERR_SYSTEM,
			 "rootlet-helper exited without a reply: it was killed, or "
			 "its seccomp filter stopped it; see: journalctl -k");
}

int helper_send(struct helper *h, const Rootlet__Request *request, const int *fds, size_t fd_count,
		struct error **err)
{
	size_t size = rootlet__request__get_packed_size(request);
	struct error *error = NULL;

	if (h->gone)
		return helper_lost(h, err);
	if (size > PACKET_MAX)
		return error_set(err, ERR_INPUT, "request of %zu bytes: a packet holds at most %d",
				 size, PACKET_MAX);
	rootlet__request__pack(request, h->packet);
	if (packet_send(h->channel, h->packet, size, fds, fd_count, &error) == 0)
		return 0;
	/* The reason may already be in the channel; let the receiver find it. */
	if (error && error->code == ERR_INTERRUPTED) {
		error_free(&error);
		return 0;
	}
	if (error)
		error_set(err, error->code, "%s", error->message);
	error_free(&error);
	return -1;
}

int helper_channel(const struct helper *h)
{
	return h->channel;
}

static void client_take_log(struct helper *h, char *line)
{
	text_clean(line);
	if (h->log)
		h->log(line, h->log_context);
	else
		progress_note(h->progress, "%s", line);
}

static int client_take_result(const Rootlet__Result *result, struct answer *answer,
			      struct error **err)
{
	if (result->code == ERR_NONE) {
		if (answer)
			answer->status = result->status;
		return 1;
	}
	error_set(err, result->code <= ERR_LAST ? (enum error_code)result->code : ERR_SYSTEM, "%s",
		  result->message && *result->message ? result->message
						      : "rootlet-helper gave no reason");
	if (err && *err)
		(*err)->number = result->number;
	return -1;
}

static int take_hello(struct helper *h, const Rootlet__HelloReply *hello, struct error **err)
{
	if (hello->version != PROTOCOL_VERSION)
		return error_set(err, ERR_HOST,
				 "rootlet-helper speaks protocol version %u, this program "
				 "speaks version %u; reinstall both",
				 hello->version, PROTOCOL_VERSION);
	snprintf(h->ids.mode, sizeof(h->ids.mode), "%s", hello->mode ? hello->mode : "");
	text_clean(h->ids.mode);
	h->ids.first_uid = hello->first_uid;
	h->ids.first_gid = hello->first_gid;
	h->ids.count = hello->count;
	return 0;
}

static int take_reply(struct helper *h, const Rootlet__Reply *reply, struct answer *answer,
		      struct error **err)
{
	switch (reply->kind_case) {
	case ROOTLET__REPLY__KIND_RESULT:
		return client_take_result(reply->result, answer, err);
	case ROOTLET__REPLY__KIND_HELLO:
		return take_hello(h, reply->hello, err);
	case ROOTLET__REPLY__KIND_PROGRESS:
		progress_stage(h->progress, reply->progress->stage);
		progress_update(h->progress, reply->progress->done, reply->progress->total, 0, 0);
		return 0;
	case ROOTLET__REPLY__KIND_LOG:
		client_take_log(h, reply->log->line);
		return 0;
	case ROOTLET__REPLY__KIND_INSPECTION:
		if (answer) {
			answer->bytes = reply->inspection->bytes;
			answer->files = reply->inspection->files;
			answer->foreign = reply->inspection->foreign;
			answer->fingerprint = reply->inspection->fingerprint;
			answer->digested = reply->inspection->digest.len == SHA256_LEN;
			if (answer->digested)
				memcpy(answer->digest, reply->inspection->digest.data, SHA256_LEN);
		}
		return 0;
	case ROOTLET__REPLY__KIND_FOUND:
		if (answer)
			snprintf(answer->found, sizeof(answer->found), "%s", reply->found->kinds);
		return 0;
	default:
		return error_set(err, ERR_SYSTEM, "rootlet-helper sent a reply of an unknown kind");
	}
}

int helper_receive(struct helper *h, struct answer *answer, struct error **err)
{
	_cleanup_(reply_free) Rootlet__Reply *reply = NULL;
	int fds[PACKET_FDS_MAX];
	size_t count = 0, i;
	ssize_t n = packet_receive(h->channel, h->packet, sizeof(h->packet), fds, &count, err);

	if (n < 0)
		return -1;
	if (n == 0)
		return helper_lost(h, err);
	for (i = 0; i < count; i++) {
		if (answer && answer->fd < 0)
			answer->fd = fds[i];
		else
			close(fds[i]);
	}
	reply = rootlet__reply__unpack(NULL, (size_t)n, h->packet);
	if (!reply)
		return error_set(err, ERR_SYSTEM, "rootlet-helper sent a malformed reply");
	return take_reply(h, reply, answer, err);
}

/* Waits until a reply can be read, or fails with ERR_INTERRUPTED if the user interrupts. */
static int helper_wait(struct helper *h, struct error **err)
{
	struct pollfd fds[] = {
		{ .fd = h->channel, .events = POLLIN },
		{ .fd = interrupt_fd(), .events = POLLIN },
	};

	for (;;) {
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted");
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return error_errno(err, ERR_SYSTEM, "cannot wait for rootlet-helper");
		if (fds[0].revents && !interrupt_caught())
			return 0;
	}
}

int helper_call(struct helper *h, const Rootlet__Request *request, const int *fds, size_t fd_count,
		struct answer *answer, struct error **err)
{
	int r;

	if (answer)
		*answer = (struct answer){ .fd = -1 };
	r = helper_send(h, request, fds, fd_count, err);
	while (r == 0) {
		r = helper_wait(h, err);
		if (r == 0)
			r = helper_receive(h, answer, err);
	}
	if (r > 0)
		return 0;
	if (answer) {
		closep(&answer->fd);
		answer->fd = -1;
	}
	return -1;
}

int helper_start(const char *purpose, struct progress *progress, struct helper **out,
		 struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Hello hello = ROOTLET__HELLO__INIT;
	struct helper *h = calloc(1, sizeof(*h));

	if (!h)
		return error_no_memory(err);
	h->channel = h->diagnostics = -1;
	h->pid = -1;
	h->progress = progress;
	hello.version = PROTOCOL_VERSION;
	hello.purpose = (char *)(uintptr_t)purpose;
	request.kind_case = ROOTLET__REQUEST__KIND_HELLO;
	request.hello = &hello;
	if (helper_spawn(h, err) < 0 || helper_call(h, &request, NULL, 0, NULL, err) < 0) {
		helper_stop(&h);
		return -1;
	}
	*out = h;
	return 0;
}

const struct host_ids *helper_ids(const struct helper *h)
{
	return &h->ids;
}

void helper_set_log(struct helper *h, void (*log)(const char *line, void *context), void *context)
{
	h->log = log;
	h->log_context = context;
}

int helper_open_namespace(struct helper *h, int *userns, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__OpenNamespace open_namespace = ROOTLET__OPEN_NAMESPACE__INIT;
	struct answer answer;

	request.kind_case = ROOTLET__REQUEST__KIND_OPEN_NAMESPACE;
	request.open_namespace = &open_namespace;
	if (helper_call(h, &request, NULL, 0, &answer, err) < 0)
		return -1;
	if (answer.fd < 0)
		return error_set(err, ERR_SYSTEM, "rootlet-helper sent no user namespace");
	*userns = answer.fd;
	return 0;
}

/* Waits for the helper, which removes its staging tree before it exits. If interrupt_hurried() says
 * not to wait for that, kills the helper's first process, which takes the others with it. We may,
 * because its user namespace is ours. */
static void client_wait_for_end(pid_t pid)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	while (pidfd >= 0 && poll(&ended, 1, HURRY_MS) <= 0) {
		if (!interrupt_hurried())
			continue;
		kill(pid, SIGKILL);
		break;
	}
	RETRY_ON_EINTR(waitpid(pid, NULL, 0));
}

void helper_stop(struct helper **h)
{
	if (!*h)
		return;
	closep(&(*h)->channel);
	if ((*h)->pid > 0)
		client_wait_for_end((*h)->pid);
	closep(&(*h)->diagnostics);
	free(*h);
	*h = NULL;
}

bool helper_is_installed(void)
{
	_cleanup_free_ char *path = paths_helper(NULL);

	return path && getxattr(path, "security.capability", NULL, 0) > 0;
}
