/* Inspects a finished rootfs. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"
#include "helper/jailer/serve.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/error_wrap.h"
#include "proto/note.h"

/* Logs what dpkg finds wrong. */
static int ask_dpkg(struct server *s, int tree, struct error **err)
{
	struct output output = { .line = serve_log, .context = s };
	struct jail_spec spec = { .kind = JAIL_TREE, .root = tree, .script = SCRIPT_DPKG };

	return jail_run(s, &spec, &output, err) < 0 ? -1 : 0;
}

int handle_inspect(struct server *s, struct request *request, struct error **err)
{
	struct note note = { .kind = NOTE_INSPECTION };

	if (tree_count(s, request->fds[0], &note.tree.census, err) < 0)
		return -1;
	if (request->task->inspect.deep && ask_dpkg(s, request->fds[0], err) < 0)
		return error_wrap(err, "cannot ask dpkg");
	if (request->task->inspect.digest) {
		if (tree_digest(s, request->fds[0], &note.tree.digest, err) < 0)
			return -1;
		note.tree.digested = 1;
	}
	return note_send(s->parser, &note, -1);
}
