/* Accounts and commands: programs of the tree, in the jail. */
#include "helper/serve.h"

#include <string.h>

#define ACCOUNT_SECONDS 60

static int run_tool(struct server *s, const char *const *argv, struct error **err)
{
	struct output output = { 0 };
	struct jail_spec spec = { .kind = JAIL_TREE, .root = s->tree, .argv = argv };
	int status = serve_jail(s, &spec, &output, ACCOUNT_SECONDS, err);
	char tail[1024];

	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	return error_set(err, ERR_PACKAGE, "%s failed with status %d: %s", argv[0], status, tail);
}

int handle_add_group(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		     struct error **err)
{
	char gid[16];
	const char *argv[] = { "groupadd", "-g", gid, "--", t->group.name, NULL };

	(void)fds;
	(void)out;
	snprintf(gid, sizeof(gid), "%u", t->group.gid);
	return run_tool(s, argv, err);
}

/* useradd(8) locks the password ("!") unless it is given one. */
int handle_add_user(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		    struct error **err)
{
	char uid[16], gid[16], groups[GROUPS_MAX * (ACCOUNT_SIZE + 1)] = "";
	const char *argv[16] = { "useradd",    "-u", uid,	    "-g", gid, "-d",
				 t->user.home, "-s", t->user.shell, "-m", NULL };
	size_t argc = 10, used = 0;

	(void)fds;
	(void)out;
	snprintf(uid, sizeof(uid), "%u", t->user.uid);
	snprintf(gid, sizeof(gid), "%u", t->user.gid);
	for (uint32_t i = 0; i < t->user.group_count; i++)
		used += (size_t)snprintf(groups + used, sizeof(groups) - used, "%s%s", i ? "," : "",
					 t->user.groups[i]);
	if (*groups) {
		argv[argc++] = "-G";
		argv[argc++] = groups;
	}
	argv[argc++] = "--";
	argv[argc] = t->user.name;
	return run_tool(s, argv, err);
}

int handle_execute(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		   struct error **err)
{
	const char *argv[ARGV_MAX + 1] = { 0 };
	const char *word = t->execute.words;
	struct jail_spec spec = {
		.kind = JAIL_TREE,
		.root = fds[0],
		.argv = argv,
		.user = t->execute.user,
		.terminal = t->execute.terminal,
		.stdio = { fds[1], fds[2], fds[3] },
	};
	int status;

	for (uint32_t i = 0; i < t->execute.argc; i++, word += strlen(word) + 1)
		argv[i] = word;
	status = serve_jail(s, &spec, NULL, 0, err);
	out->status = status;
	return status < 0 ? -1 : 0;
}
