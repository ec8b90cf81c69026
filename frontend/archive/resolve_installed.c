#include "frontend/archive/resolve_installed.h"

#include <solv/repo.h>
#include <solv/repo_deb.h>
#include <solv/solver.h>
#include <string.h>

#include "lib/deb822.h"
#include "lib/error_wrap.h"
#include "lib/read_all.h"
#include "proto/validate.h"

/* Holds are collected by name, because libsolv has no ids for the packages yet. */
struct installed_text {
	FILE *kept, *held;
	struct error **err;
};

/* The last word of the status, as in "install ok installed". */
static bool is_in_state(const char *stanza, size_t size, const char *state)
{
	size_t length = 0, want = strlen(state);
	const char *status = stanza_field(stanza, size, "Status", &length);

	return length > want && status[length - want - 1] == ' ' &&
	       memcmp(status + length - want, state, want) == 0;
}

static int take_stanza(const struct installed_text *in, const char *stanza, size_t size)
{
	size_t length = 0;
	const char *name = stanza_field(stanza, size, "Package", &length);

	if (!name || is_in_state(stanza, size, "config-files") ||
	    is_in_state(stanza, size, "not-installed"))
		return 0;
	if (!is_in_state(stanza, size, "installed"))
		return error_set(in->err, ERR_INPUT, "package %.*s is only half installed",
				 (int)(length < 100 ? length : 100), name);
	fwrite(stanza, 1, size, in->kept);
	fputs("\n\n", in->kept);
	if (length <= PACKAGE_NAME_MAX &&
	    stanza_field_is(stanza, size, "Status", "hold ok installed"))
		fprintf(in->held, "%.*s\n", (int)length, name);
	return 0;
}

static int take_stanzas(const struct installed_text *in, const char *text, size_t size)
{
	const char *end = text + size, *stanza;
	size_t length;

	while ((stanza = stanza_next(&text, end, &length)))
		if (take_stanza(in, stanza, length) < 0)
			return -1;
	return 0;
}

static void lock_held(Pool *pool, char *names, Queue *job)
{
	const char *name;

	while ((name = strsep(&names, "\n")))
		if (*name)
			queue_push2(job, SOLVER_LOCK | SOLVER_SOLVABLE_NAME,
				    pool_str2id(pool, name, 1));
}

static int add_repository(Pool *pool, char *text, size_t size, struct error **err)
{
	_cleanup_fclose_ FILE *file = size ? fmemopen(text, size, "r") : NULL;
	Repo *repo = repo_create(pool, "installed");

	if (!file || repo_add_debpackages(repo, file, 0) != 0 || repo->nsolvables == 0)
		return error_set(err, ERR_INPUT, "it lists no installed packages");
	pool_set_installed(pool, repo);
	return 0;
}

int installed_load(Pool *pool, int status, Queue *job, struct error **err)
{
	size_t size = 0, kept_size = 0, held_size = 0;
	_cleanup_free_ char *text = read_all(status, INSTALLED_MAX + 1, &size);
	_cleanup_free_ char *kept = NULL, *held = NULL;
	struct installed_text in = {
		.kept = open_memstream(&kept, &kept_size),
		.held = open_memstream(&held, &held_size),
		.err = err,
	};
	int r = -1;

	if (!text || size > INSTALLED_MAX)
		error_set(err, ERR_INPUT, "it cannot be read, or is too long");
	else if (!in.kept || !in.held)
		error_no_memory(err);
	else
		r = take_stanzas(&in, text, size);
	if (in.kept && fclose(in.kept) != 0 && r == 0)
		r = error_no_memory(err);
	if (in.held && fclose(in.held) != 0 && r == 0)
		r = error_no_memory(err);
	if (r == 0)
		r = add_repository(pool, kept, kept_size, err);
	if (r == 0)
		lock_held(pool, held, job);
	return r < 0 ? error_wrap(err, "dpkg's status file of the rootfs") : 0;
}
