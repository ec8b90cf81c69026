#include "helper/worker/verify/verifier.h"

#include <string.h>

#include "helper/worker/verify/chain.h"
#include "helper/worker/verify/debootstrap.h"
#include "proto/note.h"

static int verifier_step(struct chain *c, const struct task *t, const int *fds, int socket,
			 struct error **err)
{
	int fd = fds[0];

	switch (t->operation) {
	case OP_BEGIN:
		return chain_begin(c, t, fd, err);
	case OP_RELEASE:
		return chain_release(c, t->release.pocket, fd, err);
	case OP_CHECK_RELEASE:
		return chain_check_release(c, t, fd, fds[1], err);
	case OP_INDEX:
		return chain_index(c, t->index.pocket, t->index.component, fd, err);
	case OP_PACKAGE:
		return chain_package(c, t->package.name, t->package.sha256, fd, err);
	case OP_BOOTSTRAP:
		return debootstrap_first_stage(c, socket, err);
	default:
		return error_set(err, ERR_REFUSED, "the verifier does not know this request");
	}
}

/* Sends the result, with the date and origin of an accepted release file for the rollback check. */
static void answer_task(const struct chain *c, const struct task *t, bool failed,
			const struct error *err, int socket)
{
	struct note note = { .kind = NOTE_RESULT };
	const struct chain_pocket *p = &c->pockets[c->pocket_count ? c->pocket_count - 1 : 0];

	if (failed) {
		note_set_error(&note, err);
	} else if (t->operation == OP_RELEASE || t->operation == OP_CHECK_RELEASE) {
		note.release.date = p->date;
		memcpy(note.release.origin, p->origin, sizeof(p->origin));
	}
	note_send(socket, &note, -1);
}

int verifier_run(int socket)
{
	static struct chain chain;
	static struct task task;

	for (;;) {
		_cleanup_error_ struct error *err = NULL;
		int fds[PACKET_FDS_MAX], r;
		size_t count;
		ssize_t n = packet_receive(socket, &task, sizeof(task), fds, &count, NULL);

		if (n != (ssize_t)sizeof(task))
			return 0;
		r = verifier_step(&chain, &task, fds, socket, &err);
		for (size_t i = 0; i < count; i++)
			closep(&fds[i]);
		answer_task(&chain, &task, r < 0, err, socket);
	}
}
