#include "helper/jailer/configure.h"

#include <string.h>

#include "helper/jailer/jail_run.h"
#include "helper/jailer/serve.h"
#include "lib/beneath.h"

struct configuration {
	struct server *server;
	uint64_t done, total;
};

/* Counts the progress lines of dpkg and debootstrap. */
static void configure_count_line(const char *line, void *context)
{
	static const char *const steps[] = { "Setting up ", "Unpacking ", "I: Unpacking ",
					     "I: Configuring " };
	struct configuration *c = context;

	/* The front end saves the log in case a script fails. */
	serve_log(c->server, line);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (strncmp(line, steps[i], strlen(steps[i])) == 0)
			serve_progress(c->server, "Configuring", ++c->done, c->total);
}

int configure_tree(struct server *s, struct error **err)
{
	struct configuration progress = { .server = s, .total = s->package_count };
	struct output output = { .line = configure_count_line, .context = &progress };
	struct jail_spec spec = {
		.kind = JAIL_TREE,
		.root = s->tree,
		.script = s->old >= 0 ? SCRIPT_CHANGE
			  : s->native ? SCRIPT_NATIVE
				      : SCRIPT_DEBOOTSTRAP,
		.epoch = s->epoch,
	};
	int status;
	char tail[1024];

	/* If dpkg or debootstrap unpacks, it prints a line for that as well. */
	progress.total *= s->native && s->old < 0 ? 1 : 2;
	status = jail_run(s, &spec, &output, err);
	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	if (output.full || tree_disk_full(s->tree))
		return error_set(err, ERR_SPACE,
				 "cannot configure packages: no space left on the disk of %s; free "
				 "some space, or choose another directory with --path",
				 s->name);
	return error_set(err, ERR_PACKAGE, "%s failed with status %d: %s",
			 s->native ? "configuring packages with dpkg"
				   : "debootstrap's second stage",
			 status, tail);
}
