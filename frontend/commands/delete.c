/* rootlet delete: deletes a rootfs, and refuses to touch anything else. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/client/remove_rootfs.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/freshness.h"
#include "frontend/rootfs/publisher.h"
#include "frontend/rootfs/store.h"

enum { OPTION_YES = OPTION_OWN };

static const struct option_row delete_rows[] = {
	ROOTFS_ROWS,
	{ "--yes", NULL, OPTION_YES, "do not ask; required if standard input is not a terminal",
	  .once = true },
	QUIET_ROW,
	JSON_ROW(JSON_EVENTS),
	{ NULL },
};

struct delete
{
	const char *name, *path;
	bool yes, quiet, json;
	char *parent, *base, *absolute;
	int parent_fd;
	struct progress *progress;
	struct helper *helper;
};

static void delete_clear(struct delete *d)
{
	helper_stop(&d->helper);
	progress_free(&d->progress);
	closep(&d->parent_fd);
	free(d->parent);
	free(d->base);
	free(d->absolute);
}

static int confirm(const struct delete *d, struct error **err)
{
	char answer[16] = "";

	if (d->yes)
		return 0;
	/* With --json, standard output is for events. */
	if (d->json || !isatty(STDIN_FILENO))
		return error_set(err, ERR_INPUT, "cannot ask whether to delete %s: %s; use --yes",
				 d->absolute,
				 d->json ? "--json does not ask"
					 : "standard input is not a terminal");
	printf("Delete %s completely? [y/N] ", d->absolute);
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) &&
	    (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
		return 0;
	return error_set(err, ERR_REFUSED, "%s was not deleted: not confirmed", d->absolute);
}

static int delete_remove_rootfs(struct delete *d, struct error **err)
{
	progress_stage(d->progress, "Removing files");
	if (remove_rootfs(d->helper, d->parent_fd, d->base, false, err) < 0)
		return -1;
	freshness_forget(d->parent, d->base);
	publisher_forget(d->parent, d->base);
	return 0;
}

/* Replaces the usual error for a missing rootfs, which says how to create one. */
static int delete_find(struct delete *d, int *directory, struct error **err)
{
	_cleanup_free_ char *path = NULL;

	if (store_resolve(d->name, d->path, &d->parent, &d->base, err) == 0) {
		store_tidy("delete", d->parent);
		if (store_find(d->name, d->path, directory, &d->absolute, err) == 0)
			return 0;
		path = store_join(d->parent, d->base);
	}
	if (!*err || (*err)->code != ERR_MISSING)
		return -1;
	error_free(err);
	return error_set(err, ERR_MISSING, "no rootfs at %s; see: rootlet list",
			 path	   ? path
			 : d->path ? d->path
				   : "~/" STORE_DIR);
}

static int delete_confirmed(struct delete *d, struct error **err)
{
	_cleanup_close_ int directory = -1, rootfs = -1;

	/* The helper checks all of this again. Checking here gives better error messages. */
	if (delete_find(d, &directory, err) < 0)
		return -1;
	d->parent_fd = open(d->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->parent_fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the directory %s", d->parent);
	d->progress = progress_new(d->quiet  ? PROGRESS_QUIET
				   : d->json ? PROGRESS_JSON
					     : PROGRESS_STDOUT);
	if (helper_start("delete", d->progress, &d->helper, err) < 0 ||
	    store_open(d->helper, directory, d->absolute, &rootfs, NULL, err) < 0 ||
	    store_check_unused(rootfs, d->parent, d->base, err) < 0 || confirm(d, err) < 0)
		return -1;
	interrupt_catch();
	return delete_remove_rootfs(d, err);
}

static json_t *delete_describe(const struct delete *d)
{
	_cleanup_free_ char *path = d->base ? store_join(d->parent, d->base) : NULL;

	return json_pack("{s:o}", "path", json_text(path));
}

static int command_delete(const struct parsed_line *line)
{
	_cleanup_(delete_clear) struct delete d = {
		.name = line_value(line, OPTION_NAME),
		.path = line_value(line, OPTION_PATH),
		.yes = line_has(line, OPTION_YES),
		.quiet = line_has(line, OPTION_QUIET),
		.json = line_has(line, OPTION_JSON),
		.parent_fd = -1,
	};
	_cleanup_error_ struct error *err = NULL;
	int status;

	if (delete_confirmed(&d, &err) < 0) {
		progress_end(d.progress);
		status = report_error("delete", err);
		return d.json ? event_failure(delete_describe(&d), err, status) : status;
	}
	progress_end(d.progress);
	if (d.json)
		return event_result(delete_describe(&d), EXIT_OK);
	if (!d.quiet)
		printf("Removed %s\n", d.absolute);
	return EXIT_OK;
}

const struct command delete_command = {
	.name = "delete",
	.summary = "delete a rootfs completely",
	.about = "Deletes a rootfs completely. Refuses to delete anything that rootlet did not "
		 "create.",
	.statuses = "0 deleted; 1 no such rootfs, not a rootfs, failed, or not confirmed; 2 wrong "
		    "command line; 5 the host lacks something; 6 in use; 130 interrupted (what is "
		    "already deleted stays deleted, and the next rootlet command removes the "
		    "rest).",
	.rows = delete_rows,
	.run = command_delete,
	.acts = true,
};
