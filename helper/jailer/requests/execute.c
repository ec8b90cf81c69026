/* Runs a command in a rootfs. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"
#include "proto/words.h"

int handle_execute(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		   struct error **err)
{
	const char *argv[ARGV_MAX + 1] = { 0 };
	struct jail_spec spec = {
		.kind = JAIL_TREE,
		.root = fds[0],
		.argv = argv,
		.user = t->execute.user,
		.terminal = t->execute.terminal,
		.stdio = { fds[1], fds[2], fds[3] },
	};
	size_t argc = 0;
	int status;

	for (const char *word = NULL; (word = words_next(&t->execute.argv, word));)
		argv[argc++] = word;
	status = jail_run(s, &spec, NULL, err);
	out->status = status;
	return status < 0 ? -1 : 0;
}
