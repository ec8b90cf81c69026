/* AddGroup and AddUser: run programs of the tree in the jail. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"

#include <string.h>

static int run_tool(struct server *s, const char *const *argv, struct error **err)
{
	struct output output = { 0 };
	struct jail_spec spec = {
		.kind = JAIL_TREE, .root = s->tree, .argv = argv, .epoch = s->epoch
	};
	int status = jail_run(s, &spec, &output, err);
	char tail[1024];

	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	return error_set(err, ERR_PACKAGE, "%s failed with status %d: %s", argv[0], status, tail);
}

int handle_add_group(struct server *s, struct request *request, struct error **err)
{
	char gid[16];
	const char *argv[] = { "groupadd", "-g", gid, "--", request->task->add_group.name, NULL };

	snprintf(gid, sizeof(gid), "%u", request->task->add_group.gid);
	return run_tool(s, argv, err);
}

/* useradd(8) locks the password ("!") unless it is given one. */
int handle_add_user(struct server *s, struct request *request, struct error **err)
{
	const struct task *t = request->task;
	char uid[16], gid[16], groups[GROUPS_MAX * (ACCOUNT_SIZE + 1)] = "";
	const char *argv[16] = {
		"useradd",	   "-u", uid, "-g", gid, "-d", t->add_user.home, "-s",
		t->add_user.shell, "-m", NULL
	};
	size_t argc = 10, used = 0;

	snprintf(uid, sizeof(uid), "%u", t->add_user.uid);
	snprintf(gid, sizeof(gid), "%u", t->add_user.gid);
	for (const char *group = NULL; (group = words_next(&t->add_user.groups, group));)
		used += (size_t)snprintf(groups + used, sizeof(groups) - used, "%s%s",
					 used ? "," : "", group);
	if (*groups) {
		argv[argc++] = "-G";
		argv[argc++] = groups;
	}
	argv[argc++] = "--";
	argv[argc] = t->add_user.name;
	return run_tool(s, argv, err);
}
