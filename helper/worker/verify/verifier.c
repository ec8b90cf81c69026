#include "helper/worker/verify/verifier.h"

#include <string.h>

#include "helper/worker/verify/chain.h"
#include "helper/worker/verify/debootstrap.h"
#include "helper/worker/verify/rollback.h"
#include "lib/memory_code.h"
#include "proto/note.h"

/* Compares the release file that was just verified with those before. */
static int compare_release(const struct chain *c, const struct rollback *r, const char *mirror,
			   bool older, uint32_t dated, struct error **err)
{
	const struct release_claim claim = { mirror, older, dated };

	return rollback_check(r, &claim, &c->pockets[c->pocket_count - 1], err);
}

/* Returns the result's status, or -1 with ERR set. */
static int verifier_step(struct chain *c, struct rollback *r, const struct task *t, const int *fds,
			 int socket, struct error **err)
{
	int fd = fds[0];

	switch (t->operation) {
	case OP_BEGIN:
	case OP_CHANGE:
		return chain_begin(c, t, fd, err);
	case OP_RELEASE:
		return chain_release(c, t->release.pocket, fd, t->release.dated, err) < 0
			       ? -1
			       : compare_release(c, r, t->release.mirror, t->release.older,
						 t->release.dated, err);
	case OP_CHECK_RELEASE:
		return chain_check_release(c, t, fd, fds[1], err) < 0
			       ? -1
			       : compare_release(c, r, t->check_release.mirror,
						 t->check_release.older, t->check_release.dated,
						 err);
	case OP_REPOSITORY:
		return chain_repository(c, t, fd, fds[1], err) < 0
			       ? -1
			       : compare_release(c, r, t->repository.mirror, t->repository.older, 0,
						 err);
	case OP_INDEX:
		return chain_index(c, t->index.pocket, t->index.component, fd, err);
	case OP_PACKAGE:
		return chain_package(c, t->package.name, t->package.sha256, fd, err);
	case OP_BOOTSTRAP:
		/* No release file follows. debootstrap has no use for the memory. */
		closep(&r->fd);
		r->fd = -1;
		return debootstrap_first_stage(c, socket, err);
	default:
		return error_set(err, ERR_REFUSED, "the verifier does not know this request");
	}
}

static void answer_task(int status, const struct error *err, int socket)
{
	struct note note = { .kind = NOTE_RESULT };

	if (status < 0)
		note_set_error(&note, err);
	else
		note.status = status;
	note_send(socket, &note, -1);
}

/* The memory's descriptor is close-on-exec, so gpgv and debootstrap do not get it. Nor can they
 * take it from this process, which is not dumpable. */
static bool receive_rollback(int socket, struct rollback *r)
{
	int fds[PACKET_FDS_MAX];
	size_t count;
	ssize_t n = packet_receive(socket, r, sizeof(*r), fds, &count, NULL);

	r->fd = fds[0];
	return n == (ssize_t)sizeof(*r);
}

int verifier_run(int socket)
{
	static struct chain chain;
	static struct task task;
	struct rollback rollback;

	/* The jail's start asked for that, too, but not for the programs that it executes: gpgv and
	 * debootstrap run in this jail. */
	memory_refuse_code(false);
	if (!receive_rollback(socket, &rollback))
		return 0;
	for (;;) {
		_cleanup_error_ struct error *err = NULL;
		int fds[PACKET_FDS_MAX], r;
		size_t count;
		ssize_t n = packet_receive(socket, &task, sizeof(task), fds, &count, NULL);

		if (n != (ssize_t)sizeof(task))
			return 0;
		r = verifier_step(&chain, &rollback, &task, fds, socket, &err);
		for (size_t i = 0; i < count; i++)
			closep(&fds[i]);
		answer_task(r, err, socket);
	}
}
