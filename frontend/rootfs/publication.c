#include "frontend/rootfs/publication.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/text.h"
#include "frontend/rootfs/openpgp.h"
#include "frontend/rootfs/publication_names.h"
#include "frontend/rootfs/sbom.h"
#include "lib/hash.h"

#define LOCK_NAME ".rootlet.lock"
#define SBOM "sbom.spdx.json"
#define PROVENANCE "provenance.json"

/* A file that the release file lists. */
struct listed_file {
	char path[256]; /* below dists/NAME/ */
	char *text;
	size_t size;
	uint8_t sha256[SHA256_LEN];
};

#define FILES 4

struct publishing {
	const struct publication *p;
	int root, pool; /* directories */
	int lock;
	unsigned generation;
	time_t now;
	struct listed_file files[FILES];
};

static void publishing_clear(struct publishing *w)
{
	for (size_t i = 0; i < FILES; i++)
		free(w->files[i].text);
	closep(&w->lock);
	closep(&w->pool);
	closep(&w->root);
}

static int cannot_publish_to(const struct publication *p, struct error **err)
{
	return error_errno(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM, "cannot publish to %s",
			   p->directory);
}

/* Opens the directory PATH below AT, and makes it and its parents. -1 with errno set. */
static int open_made(int at, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *rest = NULL;
	int fd = dup(at);

	for (char *name = copy ? strtok_r(copy, "/", &rest) : NULL; name && fd >= 0;
	     name = strtok_r(NULL, "/", &rest)) {
		int next = -1;

		if (mkdirat(fd, name, 0755) == 0 || errno == EEXIST)
			next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		closep(&fd);
		fd = next;
	}
	return copy ? fd : -1;
}

static int publication_open(struct publishing *w, struct error **err)
{
	const struct publication *p = w->p;

	if (mkdir(p->directory, 0755) < 0 && errno != EEXIST)
		return cannot_publish_to(p, err);
	w->root = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->root < 0)
		return cannot_publish_to(p, err);
	w->lock = openat(w->root, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w->lock < 0)
		return cannot_publish_to(p, err);
	if (flock(w->lock, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "another rootlet is publishing to %s",
				 p->directory);
	w->pool = open_made(w->root, "pool");
	return w->pool < 0 ? cannot_publish_to(p, err) : 0;
}

/* One more than the greatest so far. */
static int choose_generation(struct publishing *w, struct error **err)
{
	int dists = open_made(w->root, "dists");
	DIR *d = dists < 0 ? NULL : fdopendir(dists);
	const struct dirent *entry;
	char numbered[SUITE_MAX + 1];
	bool taken;

	if (!d) {
		closep(&dists);
		return cannot_publish_to(w->p, err);
	}
	w->generation = 1;
	while ((entry = readdir(d))) {
		unsigned number = publication_generation(dists, w->p->name, entry->d_name);

		if (number >= w->generation)
			w->generation = number + 1;
	}
	snprintf(numbered, sizeof(numbered), "%s.%u", w->p->name, w->generation);
	taken = publication_is_taken(dists, w->p->name) || publication_is_taken(dists, numbered);
	closedir(d);
	return taken ? error_set(err, ERR_EXISTS,
				 "%s or %s in %s is of another rootfs: choose another name with "
				 "--as NAME",
				 w->p->name, numbered, w->p->directory)
		     : 0;
}

/* --- the files --- */

/* Takes ownership of TEXT. */
static int list_file(struct publishing *w, size_t number, const char *path, char *text,
		     struct error **err)
{
	struct listed_file *f = &w->files[number];

	if (!text)
		return error_no_memory(err);
	f->text = text;
	f->size = strlen(text);
	snprintf(f->path, sizeof(f->path), "%s", path);
	hash_of(f->text, f->size, f->sha256);
	return 0;
}

static int compose_descriptions(struct publishing *w, struct error **err)
{
	const struct publication *p = w->p;
	char *sbom = NULL;

	if (sbom_compose(p->manifest, p->name, SBOM_SPDX, &sbom, err) < 0 ||
	    list_file(w, 1, SBOM, sbom, err) < 0 ||
	    list_file(w, 2, PUBLISHED_LOCK, strdup(p->lock), err) < 0)
		return -1;
	return list_file(w, 3, PROVENANCE, strdup(p->provenance), err);
}

/* As release files have it, whatever the locale. */
static void print_date(FILE *f, const char *field, time_t when)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	gmtime_r(&when, &tm);
	fprintf(f, "%s: %s, %02d %s %d %02d:%02d:%02d UTC\n", field, days[tm.tm_wday], tm.tm_mday,
		months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static char *compose_release(const struct publishing *w, const char *suite)
{
	const struct manifest *m = w->p->manifest;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f,
		"Origin: rootlet\nSuite: %s\nCodename: %s\nArchitectures: %s\n"
		"Components: " PUBLISHED_COMPONENT "\nAcquire-By-Hash: yes\n",
		suite, suite, m->arch);
	print_date(f, "Date", w->now);
	print_date(f, "Valid-Until", w->now + (time_t)w->p->days * DAY_SECONDS);
	fprintf(f,
		"Rootfs-Name: %s\nRootfs-Generation: %u\nRootfs-Distribution: %s\n"
		"Rootfs-Release: %s\nRootfs-Profile: %s\nSHA256:\n",
		w->p->name, w->generation, m->distribution, m->suite, m->profile);
	for (size_t i = 0; i < FILES; i++) {
		char hex[2 * SHA256_LEN + 1];

		sha256_to_hex(w->files[i].sha256, hex);
		fprintf(f, " %s %zu %s\n", hex, w->files[i].size, w->files[i].path);
	}
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* --- placing them --- */

/* Under its name, and under its hash for clients that have an older or newer release file. */
static int place_listed(int suite, const struct listed_file *f)
{
	char hex[2 * SHA256_LEN + 1], path[sizeof(f->path)];
	char *slash;
	_cleanup_close_ int directory = -1, by_hash = -1;

	snprintf(path, sizeof(path), "%s", f->path);
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	directory = slash ? open_made(suite, path) : dup(suite);
	by_hash = directory < 0 ? -1 : open_made(directory, "by-hash/SHA256");
	sha256_to_hex(f->sha256, hex);
	if (by_hash < 0 || dir_write_file(by_hash, hex, f->text, f->size) < 0)
		return -1;
	return dir_write_file(directory, slash ? slash + 1 : path, f->text, f->size);
}

static int place_suite(const struct publishing *w, const char *suite, struct error **err)
{
	_cleanup_close_ int dists = open_made(w->root, "dists");
	_cleanup_close_ int directory = dists < 0 ? -1 : open_made(dists, suite);
	_cleanup_free_ char *release = compose_release(w, suite), *file = NULL;

	if (directory < 0)
		return cannot_publish_to(w->p, err);
	if (!release)
		return error_no_memory(err);
	if (openpgp_clear_sign(w->p->key, release, &file, err) < 0)
		return -1;
	for (size_t i = 0; i < FILES; i++)
		if (place_listed(directory, &w->files[i]) < 0)
			return cannot_publish_to(w->p, err);
	return dir_write_file(directory, "InRelease", file, strlen(file)) < 0
		       ? cannot_publish_to(w->p, err)
		       : 0;
}

/* --- the pieces --- */

/* Has the helper write an archive of the tree into an unlinked file. Returns its descriptor. */
static int archive_tree(struct helper *helper, const struct publishing *w, struct error **err)
{
	_cleanup_close_ int tar = openat(w->root, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__BuildImage message = ROOTLET__BUILD_IMAGE__INIT;

	if (tar < 0 || fchmod(tar, 0666) < 0)
		return cannot_publish_to(w->p, err);
	message.format = (char *)(uintptr_t) "tar";
	request.kind_case = ROOTLET__REQUEST__KIND_BUILD_IMAGE;
	request.build_image = &message;
	if (helper_call(helper, &request, (int[]){ w->p->tree, tar }, 2, NULL, err) < 0)
		return -1;
	return steal_fd(&tar);
}

static int make_pieces(struct helper *helper, struct publishing *w, struct progress *progress,
		       struct published *out, struct error **err)
{
	_cleanup_free_ char *pool = NULL;
	_cleanup_close_ int tar = -1;
	char path[128], *index = NULL;

	progress_stage(progress, "Archiving the rootfs");
	tar = archive_tree(helper, w, err);
	if (tar < 0)
		return -1;
	if (asprintf(&pool, "%s/pool", w->p->directory) < 0)
		return error_no_memory(err);
	progress_stage(progress, "Packing its files");
	if (pieces_pack(tar, pool, progress, &index, &out->pieces, err) < 0)
		return -1;
	snprintf(path, sizeof(path), PUBLISHED_COMPONENT "/binary-%s/Packages",
		 w->p->manifest->arch);
	if (list_file(w, 0, path, index, err) < 0)
		return -1;
	/* All pieces must be on disk before an index names them. */
	return syncfs(w->pool) < 0 ? cannot_publish_to(w->p, err) : 0;
}

int publication_write(struct helper *helper, const struct publication *p, struct progress *progress,
		      struct published *out, struct error **err)
{
	_cleanup_(publishing_clear) struct publishing w = {
		.p = p, .root = -1, .pool = -1, .lock = -1, .now = time(NULL)
	};
	char numbered[SUITE_MAX + 1];

	if (compose_descriptions(&w, err) < 0 || publication_open(&w, err) < 0 ||
	    choose_generation(&w, err) < 0)
		return -1;
	out->generation = w.generation;
	if (snprintf(numbered, sizeof(numbered), "%s.%u", p->name, w.generation) >=
	    (int)sizeof(numbered))
		return error_set(err, ERR_INPUT, "the name %s is too long to publish", p->name);
	if (make_pieces(helper, &w, progress, out, err) < 0)
		return -1;
	progress_stage(progress, "Signing");
	if (place_suite(&w, numbered, err) < 0 || place_suite(&w, p->name, err) < 0)
		return -1;
	if (p->keep &&
	    publication_prune(w.root, p->name, w.generation, p->keep, &out->pruned, err) < 0)
		return -1;
	progress_end(progress);
	return 0;
}
