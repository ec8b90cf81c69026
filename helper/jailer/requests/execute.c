/* Runs a command in a rootfs. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"

int handle_execute(struct server *s, struct request *request, struct error **err)
{
	struct jail_spec spec = {
		.kind = JAIL_TREE,
		.root = request->fds[0],
		.task = request->task,
		.user = request->task->execute.user,
		.terminal = request->task->execute.terminal,
		.stdio = { request->fds[1], request->fds[2], request->fds[3] },
	};
	int status = jail_run(s, &spec, NULL, err);

	request->status = status;
	return status < 0 ? -1 : 0;
}
