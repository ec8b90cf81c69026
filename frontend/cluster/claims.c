#include "frontend/cluster/claims.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "lib/cleanup.h"
#include "lib/write_all.h"

#define TEXT_MOST (1u << 20)
#define MARK "all"    /* in the queue since all batches were put there */
#define STALE_TRIES 3 /* an NFS client may cache the queue that was replaced by publishing */
#define CLAIM_FORMAT "%06u.g%u.l%u"

static const char *const places[] = { "queue", "claims", "done" };

static int claims_broken(const char *what, struct error **err)
{
	return error_errno(err, ERR_SYSTEM, "cannot %s in the shared directory", what);
}

/* --- names ---------------------------------------------------------------------------------- */

static void claim_path(enum claim_place place, const struct claim *c, char out[static PATH_MAX])
{
	const char *task = place == CLAIM_QUEUE ? "" : c->task;

	snprintf(out, PATH_MAX, "%s/" CLAIM_FORMAT "%s%s", places[place], c->number, c->generation,
		 c->losses, *task ? "." : "", task);
}

static bool claim_task_valid(const char *task)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return *task && !task[strspn(task, allowed)] && strlen(task) < CLAIM_TASK_SIZE;
}

static bool claim_parse(const char *name, enum claim_place place, struct claim *c)
{
	char path[PATH_MAX];
	int end = 0;

	*c = (struct claim){ 0 };
	if (sscanf(name, "%9u.g%9u.l%9u%n", &c->number, &c->generation, &c->losses, &end) != 3 ||
	    !c->generation)
		return false;
	if (place != CLAIM_QUEUE) {
		if (name[end] != '.' || !claim_task_valid(name + end + 1))
			return false;
		snprintf(c->task, sizeof(c->task), "%s", name + end + 1);
	}
	/* sscanf() takes signs, blanks and more or fewer digits, too: then no file would have the
	 * path of the claim. */
	claim_path(place, c, path);
	return strcmp(strchr(path, '/') + 1, name) == 0;
}

/* --- moves ---------------------------------------------------------------------------------- */

/* Returns 1 if PLACE has NAME now, 0 if not. An NFS client that opens a directory asks the server
 * about it; without that, it may answer from memory for a minute. */
static int claims_has(int dir, enum claim_place place, const char *name, struct error **err)
{
	struct stat st;

	for (unsigned int tries = 0; tries < STALE_TRIES; tries++) {
		_cleanup_close_ int fd =
			openat(dir, places[place], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return 1;
		/* A missing directory says nothing about the name. */
		if (fd >= 0 && errno == ENOENT)
			return 0;
		if (errno != ESTALE)
			break;
	}
	return claims_broken("look for a batch", err);
}

/* Returns 1 if the batch is in its new place, even if rename() reports an error, and 0 if it had
 * been moved before. */
static int claims_move(int dir, enum claim_place from, const struct claim *old, enum claim_place to,
		       const struct claim *new, struct error **err)
{
	char source[PATH_MAX], target[PATH_MAX];

	claim_path(from, old, source);
	claim_path(to, new, target);
	if (renameat(dir, source, dir, target) == 0)
		return 1;
	if (errno != ENOENT)
		return claims_broken("move a batch", err);
	return claims_has(dir, to, strchr(target, '/') + 1, err);
}

int claims_finish(int dir, const struct claim *claim, struct error **err)
{
	return claims_move(dir, CLAIM_CLAIMS, claim, CLAIM_DONE, claim, err);
}

static int claims_send_back(int dir, const struct claim *claim, unsigned int losses,
			    struct error **err)
{
	const struct claim next = { .number = claim->number,
				    .generation = claim->generation + 1,
				    .losses = losses };

	return claims_move(dir, CLAIM_CLAIMS, claim, CLAIM_QUEUE, &next, err);
}

int claims_return(int dir, const struct claim *claim, struct error **err)
{
	return claims_send_back(dir, claim, claim->losses, err);
}

int claims_give_up(int dir, const struct claim *claim, struct error **err)
{
	struct claim lost = *claim;

	lost.losses = CLAIM_LOSSES_MOST;
	return claims_move(dir, CLAIM_CLAIMS, claim, CLAIM_DONE, &lost, err);
}

int claims_lose(int dir, const struct claim *claim, struct error **err)
{
	return claim->losses + 1 < CLAIM_LOSSES_MOST
		       ? claims_send_back(dir, claim, claim->losses + 1, err)
		       : claims_give_up(dir, claim, err);
}

/* --- lists ---------------------------------------------------------------------------------- */

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* An NFS client keeps a list until the directory's time changes. Two changes may have the same
 * time, however, and then a batch of the second one would not show for ever; but a client reads
 * again what it has touched. */
static DIR *claims_open(int dir, enum claim_place place)
{
	_cleanup_close_ int fd = openat(dir, places[place], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = NULL;

	if (fd >= 0) {
		futimens(fd, NULL);
		stream = fdopendir(fd);
	}
	if (stream)
		steal_fd(&fd);
	return stream;
}

/* Returns 0, or -1 with errno set. */
static int claims_list_once(int dir, enum claim_place place, struct claim **list, size_t *count)
{
	DIR *stream = claims_open(dir, place);
	const struct dirent *entry;
	int failed = 0;

	if (!stream)
		return -1;
	while (!failed && (errno = 0, entry = readdir(stream))) {
		struct claim c, *added;

		if (!claim_parse(entry->d_name, place, &c))
			continue;
		added = array_grow(list, *count, sizeof(*added));
		if (added) {
			*added = c;
			++*count;
		} else {
			failed = ENOMEM;
		}
	}
	if (!failed)
		failed = errno;
	closedir(stream);
	errno = failed;
	return failed ? -1 : 0;
}

int claims_list(int dir, enum claim_place place, struct claim **list, size_t *count,
		struct error **err)
{
	for (unsigned int tries = 0; tries < STALE_TRIES; tries++) {
		int failed;

		*list = NULL;
		*count = 0;
		if (claims_list_once(dir, place, list, count) == 0) {
			if (*count)
				qsort(*list, *count, sizeof(**list), compare_claims);
			return 0;
		}
		failed = errno;
		free(STEAL_PTR(*list));
		errno = failed;
		if (failed != ESTALE)
			break;
	}
	*count = 0;
	return claims_broken("list batches", err);
}

char *claims_read(int dir, enum claim_place place, const struct claim *claim, struct error **err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	claim_path(place, claim, path);
	/* O_NONBLOCK: it may be a pipe. */
	fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return descriptor_read(fd, path, TEXT_MOST, NULL, err);
}

int claims_take(int dir, const char *task, struct claim *claim, char **text, struct error **err)
{
	if (!claim_task_valid(task))
		return error_set(err, ERR_INPUT, "\"%s\" cannot be the name of a task", task);
	for (;;) {
		_cleanup_free_ struct claim *list = NULL;
		size_t count;

		if (claims_list(dir, CLAIM_QUEUE, &list, &count, err) < 0)
			return -1;
		if (!count)
			return 0;
		/* If other tasks took all of these first, list again. */
		for (size_t i = 0; i < count; i++) {
			int moved;

			*claim = list[i];
			snprintf(claim->task, sizeof(claim->task), "%s", task);
			moved = claims_move(dir, CLAIM_QUEUE, claim, CLAIM_CLAIMS, claim, err);
			if (moved > 0)
				*text = claims_read(dir, CLAIM_CLAIMS, claim, err);
			if (moved > 0 && !*text)
				return -1;
			if (moved != 0)
				return moved;
		}
	}
}

/* --- the start ------------------------------------------------------------------------------ */

static int claims_write(int dir, const char *path, const char *text, struct error **err)
{
	_cleanup_close_ int fd =
		openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0 || fsync(fd) < 0)
		return claims_broken("write a batch", err);
	return 0;
}

/* A repeated NFS request reports that the directory exists. */
static int claims_make_directory(int dir, const char *name, struct error **err)
{
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return claims_broken("create a directory", err);
	return 0;
}

int claims_make(int dir, const char *first, struct error **err)
{
	const struct claim claim = { .generation = 1 };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (claims_make_directory(dir, places[i], err) < 0)
			return -1;
	claim_path(CLAIM_QUEUE, &claim, path);
	return first ? claims_write(dir, path, first, err) : 0;
}

bool claims_published(int dir)
{
	return claims_has(dir, CLAIM_QUEUE, MARK, NULL) > 0;
}

static int claims_write_all(int dir, const char *draft, char *const *texts, size_t count,
			    struct error **err)
{
	char path[PATH_MAX];

	if (claims_make_directory(dir, draft, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/" CLAIM_FORMAT, draft, (unsigned int)i + 1, 1u,
			 0u);
		if (claims_write(dir, path, texts[i], err) < 0)
			return -1;
	}
	snprintf(path, sizeof(path), "%s/" MARK, draft);
	return claims_write(dir, path, "", err);
}

int claims_publish(int dir, char *const *texts, size_t count, struct error **err)
{
	char draft[sizeof(".draft.") + 16];
	uint64_t random;

	if (claims_published(dir))
		return 0;
	/* With a name of its own: another process may be publishing, too. */
	if (getrandom(&random, sizeof(random), 0) < 0)
		return claims_broken("name a directory", err);
	snprintf(draft, sizeof(draft), ".draft.%016" PRIx64, random);
	if (claims_write_all(dir, draft, texts, count, err) < 0) {
		dir_remove(dir, draft);
		return -1;
	}
	/* The mark keeps the queue from ever being empty, so this succeeds once. The draft of the
	 * other publisher stays: if rename() failed only by its report, an NFS client may still
	 * take the name of the draft for the queue, and would remove that. */
	if (renameat(dir, draft, dir, places[CLAIM_QUEUE]) < 0 && !claims_published(dir))
		return claims_broken("publish the batches", err);
	return 0;
}
