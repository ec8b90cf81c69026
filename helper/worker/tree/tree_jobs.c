#include "helper/worker/tree/tree_jobs.h"

#include <fcntl.h>
#include <string.h>

#include "helper/worker/tree/clamp.h"
#include "helper/worker/tree/clone.h"
#include "helper/worker/tree/count.h"
#include "helper/worker/tree/digest.h"
#include "helper/worker/tree/walk.h"
#include "proto/note.h"
#include "proto/task.h"

struct tree_job {
	int tree, source; /* SOURCE: -1 if there is no other tree */
	int names;	  /* a result, or -1 */
	int64_t number;	  /* that comes with the job's name, or 0 */
	struct note note;
};

/* Opens the trees, has RUN work on them, and reports the result. */
static int tree_job_do(int socket, int64_t number,
		       int (*run)(struct tree_job *w, struct error **err))
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct tree_job w = { .names = -1, .note = { .kind = NOTE_RESULT } };
	_cleanup_close_ int tree = open("/tree", flags), source = open("/source", flags);
	_cleanup_error_ struct error *err = NULL;
	int r;

	w.number = number;
	w.tree = tree;
	w.source = source;
	r = tree < 0 ? error_errno(&err, ERR_SYSTEM, "cannot open the tree") : run(&w, &err);
	if (r < 0)
		note_set_error(&w.note, err);
	r = note_send(socket, &w.note, w.names);
	closep(&w.names);
	return r < 0;
}

static int count(struct tree_job *w, struct error **err)
{
	return count_tree(w->tree, &w->note.tree.census, err);
}

static int mounts(struct tree_job *w, struct error **err)
{
	return check_mounts(w->tree, err);
}

static int digest(struct tree_job *w, struct error **err)
{
	return digest_tree(w->tree, &w->note.tree.digest, err);
}

static int empty(struct tree_job *w, struct error **err)
{
	return empty_tree(w->tree, err);
}

static int clamp(struct tree_job *w, struct error **err)
{
	return clamp_times(w->tree, w->number, err);
}

static int clone_by(struct tree_job *w, enum clone_way way, struct error **err)
{
	int r = clone_tree(w->source, w->tree, &way, &w->names, err);

	w->note.status = (int)way;
	return r;
}

static int clone_whole(struct tree_job *w, struct error **err)
{
	return clone_by(w, CLONE_COPY, err);
}

static int clone_to_link(struct tree_job *w, struct error **err)
{
	return clone_by(w, CLONE_LINK, err);
}

static int linked(struct tree_job *w, struct error **err)
{
	return clone_linked(w->source, w->tree, &w->names, err);
}

int trees_run(const char *what, int socket)
{
	static const struct {
		const char *name;
		int (*run)(struct tree_job *w, struct error **err);
	} jobs[] = {
		{ "count", count },	    { "check-mounts", mounts },
		{ "digest", digest },	    { "empty", empty },
		{ "clone", clone_whole },   { "clone-to-link", clone_to_link },
		{ "clone-linked", linked }, { "clamp-times", clamp },
	};
	size_t length = strcspn(what, "=");
	int64_t number = what[length] ? strtoll(what + length + 1, NULL, 10) : 0;

	for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
		if (strlen(jobs[i].name) == length && strncmp(what, jobs[i].name, length) == 0)
			return tree_job_do(socket, number, jobs[i].run);
	return NO_SUCH_JOB;
}
