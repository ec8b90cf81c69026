/* Verifies an InRelease file for the front end, which does not parse it before that. */

#include "helper/jailer/handlers.h"
#include "helper/jailer/stage.h"
#include "policy/decide.h"
#include "proto/note.h"

/* In installed mode, the memory covers only what a rootfs may be made from: with any other keyring,
 * callers could fill it with dates and names of their choice. */
static bool may_compare(const struct server *s, const struct task *t, int keyring)
{
	const struct question q = {
		.request = t->check_release.repository ? "Repository" : "Begin",
		.word = "create",
		.suite = t->check_release.repository ? NULL : t->check_release.suite,
		.keyring = keyring,
	};
	struct decision d;

	policy_decide(&s->session->grant, &q, &d);
	return d.allowed || s->session->mode != MODE_INSTALLED;
}

int handle_check_release(struct server *s, struct request *request, struct error **err)
{
	struct stage stage = STAGE_NONE;
	struct note note = { 0 };
	/* gpgv, and the code that reads its output, run as in a build. */
	int r = stage_start_verifier(s, &stage, -1, may_compare(s, request->task, request->fds[1]),
				     err);

	if (r == 0)
		r = stage_ask(s, &stage, request->task, request->fds, 2, &note, err);
	stage_end(&stage);
	request->status = note.status;
	return r;
}
