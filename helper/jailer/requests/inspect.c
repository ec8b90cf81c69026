/* Inspects a finished rootfs. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"
#include "helper/jailer/serve.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/error_wrap.h"
#include "proto/note.h"

static void log_line(const char *line, void *context)
{
	const struct server *s = context;

	serve_log(s, line);
}

/* Logs dpkg's findings; it prints nothing if all is well. "c" marks a configuration file, which may
 * well differ. Files left out by path-exclude count as missing ("missing"; before dpkg 1.20,
 * "??5??????"): the script removes those lines. */
static int ask_dpkg(struct server *s, int tree, struct error **err)
{
	static const char *const argv[] = {
		"sh", "-c",
		"dpkg --audit\n"
		"rules=$(sed -n -e 's|^path-exclude=\\(.*\\)|case $path in (\\1) out=1;; esac|p' "
		"\\\n"
		"  -e 's|^path-include=\\(.*\\)|case $path in (\\1) out=0;; esac|p' \\\n"
		"  /etc/dpkg/dpkg.cfg.d/rootlet 2>/dev/null)\n"
		"dpkg --verify | grep -v '^.\\{9\\} c /' | while IFS= read -r line; do\n"
		"  out=0 path=/${line#*/}\n"
		"  [ -e \"$path\" ] || [ -L \"$path\" ] || eval \"$rules\"\n"
		"  [ $out = 1 ] || printf '%s\\n' \"$line\"\n"
		"done",
		NULL
	};
	struct output output = { .line = log_line, .context = s };
	struct jail_spec spec = { .kind = JAIL_TREE, .root = tree, .argv = argv };

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
