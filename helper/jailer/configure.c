#include "helper/jailer/configure.h"

#include "helper/jailer/jail_run.h"
#include "helper/jailer/serve.h"
#include "lib/beneath.h"

int configure_tree(struct server *s, struct error **err)
{
	/* The front end saves the log in case a script fails, and counts the packages in it. */
	struct output output = { .line = serve_log, .context = s };
	struct jail_spec spec = {
		.kind = JAIL_TREE,
		.root = s->tree,
		.script = s->changes  ? SCRIPT_CHANGE
			  : s->native ? SCRIPT_NATIVE
				      : SCRIPT_DEBOOTSTRAP,
		.epoch = s->epoch,
	};
	int status;
	char tail[1024];

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
