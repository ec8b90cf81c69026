/* Verifies an InRelease file for the front end, which does not parse it before that. */

#include "helper/jailer/handlers.h"
#include "helper/jailer/rollback.h"
#include "helper/jailer/stage.h"
#include "policy/decide.h"
#include "proto/note.h"

enum release_verdict {
	VERDICT_NEWEST,
	VERDICT_OLDER,
	VERDICT_NOT_COMPARED
}; /* see rootlet.proto */

/* gpgv, and the code that reads its output, run as in a build. */
static int ask_verifier(const struct server *s, const struct task *t, const int *fds,
			struct note *note, struct error **err)
{
	const struct jail_spec spec = { .kind = JAIL_TOOL, .root = -1, .worker = "verify" };
	struct stage stage = STAGE_NONE;
	int r = stage_start(s, &stage, spec, err);

	if (r == 0)
		r = stage_ask(s, &stage, t, fds, 2, note, err);
	stage_end(&stage);
	return r;
}

/* In installed mode, the memory covers only what a rootfs may be made from: with any other keyring,
 * callers could fill it with dates and names of their choice. */
static bool may_compare(const struct server *s, const struct task *t, int keyring)
{
	const struct question q = {
		.request = "Begin",
		.suite = t->check_release.suite,
		.keyring = keyring,
	};
	struct decision d;

	policy_decide(&s->session->grant, &q, &d);
	return d.allowed || s->session->mode != MODE_INSTALLED;
}

int handle_check_release(struct server *s, const struct task *t, const int *fds,
			 struct outcome *out, struct error **err)
{
	const struct release_claim claim = {
		.suite = t->check_release.suite,
		.pocket = t->check_release.pocket,
		.mirror = t->check_release.mirror,
		.older = t->check_release.older,
	};
	struct note note;
	int r;

	if (ask_verifier(s, t, fds, &note, err) < 0)
		return -1;
	if (!may_compare(s, t, fds[1])) {
		out->status = VERDICT_NOT_COMPARED;
		return 0;
	}
	r = rollback_check(&s->session->rollback, &claim, &note, err);
	out->status = r > 0 ? VERDICT_OLDER : VERDICT_NEWEST;
	return r < 0 ? -1 : 0;
}
