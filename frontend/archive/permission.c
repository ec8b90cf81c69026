#include "frontend/archive/permission.h"

#include <fcntl.h>
#include <string.h>

#include "policy/decide_mirror.h"
#include "policy/policy_text.h"
#include "policy/reopen.h"
#include "policy/rule_content.h"

int permission_load(struct policy **policy, struct grant *g, struct error **err)
{
	struct caller caller;

	if (policy_load(POLICY_PATH, false, policy, err) < 0 || caller_self(&caller, NULL, err) < 0)
		return -1;
	return grant_make(g, *policy, &caller, err);
}

static int check_mirror(const struct grant *g, const char *url, struct error **err)
{
	struct decision d;

	policy_decide_mirror(g, url, &d);
	return d.allowed ? 0 : error_set(err, ERR_REFUSED, "%s", d.why);
}

static int check_repository(const struct grant *g, const struct repository *repository,
			    struct error **err)
{
	_cleanup_close_ int keyring = open(repository->keyring, O_RDONLY | O_CLOEXEC);
	const struct question q = { .request = "Repository", .keyring = keyring };
	struct decision d;

	if (keyring < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", repository->keyring);
	policy_decide_request(g, &q, &d);
	if (!d.allowed)
		return error_set(err, ERR_REFUSED, "%s", d.why);
	return check_mirror(g, repository->mirror, err);
}

int permission_sources(const struct origin *origin, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct grant g;

	if (permission_load(&policy, &g, err) < 0)
		return -1;
	/* If no section applies to the user, let the helper say so, once for everything. */
	if (!g.rule)
		return 0;
	if (check_mirror(&g, origin->mirror, err) < 0)
		return -1;
	for (size_t i = 0; i < SOURCE_POCKET_MIRRORS && origin->security[i]; i++)
		if (check_mirror(&g, origin->security[i], err) < 0)
			return -1;
	for (size_t i = 0; i < origin->repository_count; i++)
		if (check_repository(&g, &origin->repositories[i], err) < 0)
			return -1;
	return 0;
}

/* ERR_REFUSED, with the reason, if the policy does not allow it. */
static int permission_require(const struct question *q, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct decision d;
	struct grant g;

	if (permission_load(&policy, &g, err) < 0)
		return -1;
	policy_decide_request(&g, q, &d);
	return d.allowed ? 0 : error_set(err, ERR_REFUSED, "%s", d.why);
}

int permission_older(const char *option, struct error **err)
{
	const struct question q = { .request = "Release", .keyring = -1, .older = option };

	return permission_require(&q, err);
}

int permission_content(char hex[static 2 * SHA256_LEN + 1], struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct grant g;

	if (permission_load(&policy, &g, err) < 0)
		return -1;
	*hex = '\0';
	if (g.rule)
		policy_rule_content(g.rule, hex);
	return 0;
}

int permission_keep(int dir, struct decision *d, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct question q = { .request = "Keep", .keyring = -1 };
	_cleanup_close_ int own = -1;
	char path[PATH_MAX];
	struct grant g;

	if (permission_load(&policy, &g, err) < 0)
		return -1;
	if (policy->path) {
		own = directory_open(dir, path, err);
		if (own < 0)
			return -1;
		q.dir = path;
	}
	policy_decide_request(&g, &q, d);
	return 0;
}

int permission_mode(unsigned mode, struct error **err)
{
	const struct question q = { .request = "Publish", .keyring = -1, .mode = mode };

	return permission_require(&q, err);
}

int permission_replace(struct error **err)
{
	const struct question q = { .request = "Publish", .keyring = -1, .replaces = true };

	return permission_require(&q, err);
}
