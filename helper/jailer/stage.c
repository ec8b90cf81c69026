#include "helper/jailer/stage.h"

#include <sys/socket.h>

#include "helper/jailer/serve.h"
#include "proto/note.h"

#define PAUSE 1000 /* ms between two looks at the clock */

int stage_start(const struct server *s, struct stage *stage, struct jail_spec spec,
		struct error **err)
{
	int ends[2], r;

	if (packet_pair(ends, err) < 0)
		return -1;
	stage->socket = ends[0];
	spec.program = s->worker;
	spec.socket = ends[1];
	/* Inherited: /dev/null, which most of these jails lack, and standard error for
	 * diagnostics. */
	for (int i = 0; i < 3; i++)
		spec.stdio[i] = i;
	r = jail_start(&spec, &stage->jail, err);
	close(ends[1]);
	if (r < 0)
		stage_end(stage);
	return r;
}

/* For messages: the user may have to remove the file, whose path the verifier cannot read. */
static void name_memory(struct rollback *r)
{
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", r->fd);
	length = readlink(link, r->path, sizeof(r->path));
	if (length > 0 && (size_t)length < sizeof(r->path))
		r->path[length] = '\0';
	else
		snprintf(r->path, sizeof(r->path), "the memory of release files");
}

int stage_start_verifier(const struct server *s, struct stage *stage, int staging, bool compare,
			 struct error **err)
{
	const struct jail_spec spec = { .kind = JAIL_TOOL, .root = staging, .worker = "verify" };
	struct rollback rollback = s->session->rollback;

	rollback.compare = compare;
	if (compare && rollback.fd >= 0 && !rollback.signer)
		name_memory(&rollback);
	if (stage_start(s, stage, spec, err) < 0)
		return -1;
	return packet_send(stage->socket, &rollback, sizeof(rollback), &rollback.fd,
			   compare && rollback.fd >= 0, err);
}

/* Of the descriptors that a worker sends, keeps only the result's, if it is wanted. */
static int receive_note(const struct stage *stage, struct note *note, int *fd, struct error **err)
{
	int fds[PACKET_FDS_MAX];
	size_t count;
	ssize_t n = packet_receive(stage->socket, note, sizeof(*note), fds, &count, NULL);
	bool keep = fd && n == (ssize_t)sizeof(*note) && note->kind == NOTE_RESULT && count == 1;

	for (size_t i = keep; i < count; i++)
		close(fds[i]);
	if (keep)
		*fd = fds[0];
	if (n != (ssize_t)sizeof(*note))
		return error_set(err, ERR_SYSTEM, "rootlet-worker exited unexpectedly");
	note->text[sizeof(note->text) - 1] = '\0';
	return 0;
}

static int wait_for_note(const struct server *s, const struct stage *stage, bool watch,
			 struct error **err)
{
	struct pollfd fds[1 + WITNESSES] = { { .fd = stage->socket, .events = POLLIN } };

	while (!fds[0].revents)
		if (serve_wait(s, fds, 1, watch, PAUSE, err) < 0)
			return -1;
	return 0;
}

int stage_wait(const struct server *s, const struct stage *stage, bool watch, struct note *note,
	       int *fd, struct error **err)
{
	if (fd)
		*fd = -1;
	do {
		if (wait_for_note(s, stage, watch, err) < 0 ||
		    receive_note(stage, note, fd, err) < 0)
			return -1;
		/* Dropped if the front end does not read it. */
		if (note->kind == NOTE_PROGRESS)
			packet_offer(s->parser, note, sizeof(*note), NULL);
	} while (note->kind != NOTE_RESULT);
	return note_error(note, err);
}

void stage_end(struct stage *stage)
{
	closep(&stage->socket);
	stage->socket = -1;
	jail_end(&stage->jail);
}

int stage_ask(const struct server *s, const struct stage *stage, const struct task *task,
	      const int *fds, size_t count, struct note *note, struct error **err)
{
	if (packet_send(stage->socket, task, sizeof(*task), fds, count, err) < 0)
		return -1;
	return stage_wait(s, stage, true, note, NULL, err);
}
