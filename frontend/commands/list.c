/* rootlet list: every rootfs in the store. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/inspection.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/store.h"

#define AGE_WIDTH 12

static const struct option_row list_rows[] = {
	JSON_ROW("print a JSON array: name, path, release, distribution, arch, profile, bytes "
		 "(null if unknown), users, created (seconds since the epoch)"),
	{ NULL },
};

struct list {
	bool json;
	char *dir;
	int parent;
	struct helper *helper; /* NULL if not started, or if that failed */
	bool tried;
	json_t *array;
	size_t count;
};

static void list_clear(struct list *l)
{
	helper_stop(&l->helper);
	closep(&l->parent);
	free(l->dir);
	json_decref(l->array);
}

static void list_print_row(struct list *l, const char *name, const struct manifest *m,
			   const char *size)
{
	char age[TEXT_DURATION_LEN];

	if (l->count++ == 0)
		printf("%-24s %-18s %6s  %-*s %s\n", "NAME", "RELEASE", "SIZE", AGE_WIDTH, "AGE",
		       "USERS");
	if (!m) {
		printf("%-24s broken: see rootlet check --name %s\n", name, name);
		return;
	}
	printf("%-24s %-6s %-11s %6s  %-*s", name, m->distribution, m->suite, size,
	       m->user_count ? AGE_WIDTH : 0, text_age(time(NULL) - m->created, age));
	for (size_t i = 0; i < m->user_count; i++)
		printf("%s%s", i ? ", " : " ", m->users[i].name);
	putchar('\n');
}

static void add_object(struct list *l, const char *name, const struct manifest *m,
		       const struct answer *inspection)
{
	json_t *users = json_array(), *object;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", l->dir, name) < 0)
		path = NULL;
	for (size_t i = 0; m && i < m->user_count; i++)
		json_array_append_new(users, json_text(m->users[i].name));
	object = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", json_text(name), "path",
		json_text(path), "release", json_text(m ? m->suite : NULL), "distribution",
		json_text(m ? m->distribution : NULL), "arch", json_text(m ? m->arch : NULL),
		"profile", json_text(m ? m->profile : NULL), "bytes",
		inspection ? json_integer((json_int_t)inspection->bytes) : json_null(), "users",
		users, "created", m ? json_integer((json_int_t)m->created) : json_null());
	json_array_append_new(l->array, object);
}

/* If the helper cannot start, the store is still listed, but without sizes. */
static bool want_helper(struct list *l)
{
	_cleanup_error_ struct error *err = NULL;

	if (!l->tried && helper_start("list", NULL, &l->helper, &err) < 0)
		report_error("list", err);
	l->tried = true;
	return l->helper != NULL;
}

static int list_rootfs(struct list *l, const char *name, struct error **err)
{
	_cleanup_(manifest_free) struct manifest *m = NULL;
	_cleanup_close_ int directory = -1, rootfs = -1;
	_cleanup_free_ char *path = store_join(l->dir, name);
	struct answer inspection = { .fd = -1 };
	char size[TEXT_SIZE_LEN] = "?";
	bool sized = false;

	directory = openat(l->parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0 || !store_may_be_rootfs(directory))
		return 0;
	if (want_helper(l) && path)
		sized = store_open(l->helper, directory, path, &rootfs, NULL, err) == 0 &&
			manifest_read(l->helper, rootfs, &m, err) == 0 &&
			inspect_tree(l->helper, rootfs, false, &inspection, err) == 0;
	if (!sized && err && *err && (*err)->code == ERR_INTERRUPTED)
		return -1;
	error_free(err);
	if (sized)
		text_size(inspection.bytes, size);
	if (l->json)
		add_object(l, name, m, sized ? &inspection : NULL);
	else
		list_print_row(l, name, m, size);
	return 0;
}

static int list_print(struct list *l, struct error **err)
{
	_cleanup_(words_freep) char **names = NULL;
	int r = store_list(&l->dir, &names, err);

	if (r < 0)
		return -1;
	l->parent = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->parent < 0 && errno == ENOENT)
		return 0;
	if (l->parent < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", l->dir);
	if (store_has_stale(l->parent, NULL) && want_helper(l))
		store_sweep(l->helper, l->parent, NULL);
	for (char **name = names; r == 0 && name && *name; name++)
		r = list_rootfs(l, *name, err);
	return r;
}

static int command_list(const struct parsed_line *line)
{
	_cleanup_(list_clear) struct list l = {
		.json = line_has(line, OPTION_JSON),
		.parent = -1,
		.array = json_array(),
	};
	_cleanup_error_ struct error *err = NULL;
	int status;

	interrupt_catch();
	if (list_print(&l, &err) < 0) {
		status = report_error("list", err);
		return l.json ? document_failure(err, status) : status;
	}
	if (l.json) {
		document_print(json_incref(l.array));
	} else if (l.count == 0) {
		printf("no rootfs in %s; create one with: rootlet create\n", l.dir);
	}
	return EXIT_OK;
}

const struct command list_command = {
	.name = "list",
	.summary = "list every rootfs in the store",
	.about = "Lists every rootfs in ~/.kerneldev-mcp with its release, size, users and age.",
	.statuses = "0 done, even if there is no rootfs; 1 failed; 2 wrong command line.",
	.rows = list_rows,
	.run = command_list,
};
