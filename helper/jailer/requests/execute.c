/* Runs a command in a rootfs. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"
#include "proto/words.h"

int handle_execute(struct server *s, struct request *request, struct error **err)
{
	const char *argv[ARGV_MAX + 1] = { 0 };
	struct jail_spec spec = {
		.kind = JAIL_TREE,
		.root = request->fds[0],
		.argv = argv,
		.user = request->task->execute.user,
		.terminal = request->task->execute.terminal,
		.stdio = { request->fds[1], request->fds[2], request->fds[3] },
	};
	size_t argc = 0;
	int status;

	for (const char *word = NULL; (word = words_next(&request->task->execute.argv, word));)
		argv[argc++] = word;
	status = jail_run(s, &spec, NULL, err);
	request->status = status;
	return status < 0 ? -1 : 0;
}
