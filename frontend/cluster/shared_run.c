#include "frontend/cluster/shared_run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "frontend/cli/child.h"
#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/tree.h"
#include "frontend/cluster/claims.h"
#include "frontend/cluster/lease.h"
#include "frontend/fstests/run_identity.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define JOB "job.json"
#define JOB_MOST (16u << 20)
#define LIST_MOST (16u << 20)
#define COPY_AT_ONCE (1u << 20)
#define STALE_SECONDS (24 * 3600) /* nobody copies for so long */
#define NOBODY 65534		  /* the owner of what an NFS server does not tell */

void shared_run_close(struct shared_run *s)
{
	free(s->path);
	closep(&s->fd);
	json_decref(s->job);
	*s = SHARED_RUN_NONE;
}

/* --- options -------------------------------------------------------------------------------- */

/* The options that guests need, as the user gave them. */
#define TEXT_OPTION(name)                                                                          \
	{                                                                                          \
#name, offsetof(struct fstests_options, name)                                      \
	}
static const struct {
	const char *key;
	size_t offset;
} texts[] = {
	TEXT_OPTION(fstype),	    TEXT_OPTION(mkfs),	 TEXT_OPTION(mkfs_options),
	TEXT_OPTION(mount_options), TEXT_OPTION(config), TEXT_OPTION(io_scheduler),
	TEXT_OPTION(append),	    TEXT_OPTION(boot),	 TEXT_OPTION(soak),
};

#define TEXT_COUNT (sizeof(texts) / sizeof(*texts))

static const char **text_option(struct fstests_options *o, size_t i)
{
	return (const char **)(void *)((char *)o + texts[i].offset);
}

static json_t *words_to_json(const char *const *words, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(words[i]));
	return array;
}

static json_t *options_to_json(const struct fstests_options *o)
{
	struct fstests_options copy = *o;
	json_t *object =
		json_pack("{s:I, s:I, s:b, s:I, s:I, s:b, s:b, s:o}", "device_count",
			  (json_int_t)o->device_count, "device_size", (json_int_t)o->device_size,
			  "device_memory", (int)o->device_memory, "test_timeout",
			  (json_int_t)o->test_timeout, "boot_timeout", (json_int_t)o->boot_timeout,
			  "unsealed", (int)o->unsealed, "kmemleak", (int)o->kmemleak, "vng_words",
			  words_to_json(o->vng_words, o->vng_word_count));

	for (size_t i = 0; i < TEXT_COUNT; i++)
		if (*text_option(&copy, i))
			json_object_set_new(object, texts[i].key,
					    json_string(*text_option(&copy, i)));
	return object;
}

static void options_from_json(const json_t *object, struct fstests_options *o)
{
	for (size_t i = 0; i < TEXT_COUNT; i++)
		*text_option(o, i) = json_string_value(json_object_get(object, texts[i].key));
	o->device_count = (unsigned int)json_integer_value(json_object_get(object, "device_count"));
	o->device_size = (uint64_t)json_integer_value(json_object_get(object, "device_size"));
	o->device_memory = json_is_true(json_object_get(object, "device_memory"));
	o->test_timeout = (unsigned int)json_integer_value(json_object_get(object, "test_timeout"));
	o->boot_timeout = (unsigned int)json_integer_value(json_object_get(object, "boot_timeout"));
	o->unsealed = json_is_true(json_object_get(object, "unsealed"));
	o->kmemleak = json_is_true(json_object_get(object, "kmemleak"));
}

void shared_run_options(const struct shared_run *s, struct fstests_options *options)
{
	options_from_json(json_object_get(s->job, "options"), options);
}

static char **words_of_json(const json_t *array, size_t *count)
{
	char **words;

	*count = json_array_size(array);
	words = calloc(*count + 1, sizeof(*words));
	for (size_t i = 0; words && i < *count; i++)
		words[i] = (char *)(uintptr_t)json_string_value(json_array_get(array, i));
	return words;
}

char **shared_run_words(const struct shared_run *s, size_t *count)
{
	return words_of_json(json_object_get(s->job, "words"), count);
}

/* --- copies --------------------------------------------------------------------------------- */

/* Copies a file, or the contents of a directory (FROM ends in "/."), to TO. */
static int shared_run_copy(const char *from, const char *to, struct error **err)
{
	const char *const argv[] = {
		"cp", "-R", "--preserve=mode,links", "--reflink=auto", "--", from, to, NULL
	};
	const int stdio[3] = { -1, -1, STDERR_FILENO };

	return child_run(argv, stdio, "copy to the shared directory", err);
}

static int shared_run_copy_file(const struct shared_run *s, const char *from, const char *name,
				struct error **err)
{
	_cleanup_free_ char *to = NULL;

	if (asprintf(&to, "%s/%s", s->path, name) < 0)
		return error_no_memory(err);
	return shared_run_copy(from, to, err);
}

static int shared_run_copy_directory(const struct shared_run *s, const char *from, const char *name,
				     struct error **err)
{
	_cleanup_free_ char *to = NULL;
	_cleanup_free_ char *contents = NULL;

	if (asprintf(&to, "%s/%s", s->path, name) < 0 || asprintf(&contents, "%s/.", from) < 0)
		return error_no_memory(err);
	if (dir_make_above(to) < 0 || (mkdir(to, 0755) < 0 && errno != EEXIST))
		return error_errno(err, ERR_SYSTEM, "cannot make %s", to);
	return shared_run_copy(contents, to, err);
}

/* Copies PATH from the build directory BUILD to the same path below kernel/. */
static int shared_run_copy_built(const struct shared_run *s, int build, const char *path,
				 struct error **err)
{
	_cleanup_close_ int from =
		tree_open(build, path, O_RDONLY | O_NONBLOCK | O_NOCTTY); /* it may be a pipe */
	_cleanup_free_ char *to = NULL;
	_cleanup_close_ int fd = -1;
	ssize_t copied = 0;

	if (asprintf(&to, "%s/kernel/%s", s->path, path) < 0)
		return error_no_memory(err);
	if (from >= 0 && dir_make_above(to) == 0)
		fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	while (fd >= 0 && (copied = sendfile(fd, from, NULL, COPY_AT_ONCE)) > 0)
		;
	/* NFS may report a full disk only now. */
	if (fd < 0 || copied < 0 || close(steal_fd(&fd)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot copy the kernel's %s", path);
	return 0;
}

/* modules.order names each module, as object file or as module. */
static int shared_run_copy_modules(const struct shared_run *s, int build, struct error **err)
{
	_cleanup_free_ char *list = tree_read(build, "modules.order", LIST_MOST, NULL, err);
	char *rest = NULL;

	if (!list)
		return -1;
	for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		_cleanup_free_ char *module = NULL;
		size_t length = strlen(line);

		if (length > 2 && strcmp(line + length - 2, ".o") == 0)
			length -= 2;
		if (asprintf(&module, "%.*s%s", (int)length, line, line[length] ? ".ko" : "") < 0)
			return error_no_memory(err);
		if (strstr(module, ".."))
			return error_set(err, ERR_INPUT, "the kernel's modules.order has a ..");
		if (shared_run_copy_built(s, build, module, err) < 0)
			return -1;
	}
	return 0;
}

/* Copies the parts of a build directory that a guest needs. */
static int shared_run_copy_build(const struct shared_run *s, const char *path, struct error **err)
{
	static const char *const parts[] = { ".config", "arch/x86/boot/bzImage", "modules.order",
					     "modules.builtin", "modules.builtin.modinfo" };
	_cleanup_close_ int build = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (build < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (shared_run_copy_built(s, build, parts[i], err) < 0)
			return -1;
	return shared_run_copy_modules(s, build, err);
}

/* Returns the path for kernel_open() relative to the directory, or NULL. */
static const char *shared_run_copy_kernel(const struct shared_run *s, const struct kernel *k,
					  struct error **err)
{
	_cleanup_free_ char *modules = NULL;

	if (k->build)
		return shared_run_copy_build(s, k->build, err) < 0 ? NULL : "kernel";
	if (mkdirat(s->fd, "kernel", 0755) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot make %s/kernel", s->path);
		return NULL;
	}
	if (k->modules && (asprintf(&modules, "kernel/lib/modules/%s", k->version) < 0 ||
			   shared_run_copy_directory(s, k->modules, modules, err) < 0))
		return NULL;
	return shared_run_copy_file(s, k->image, "kernel/vmlinuz", err) < 0 ? NULL
									    : "kernel/vmlinuz";
}

static const char *find_fstests_image(const struct fstests_run *run)
{
	for (size_t i = 0; i < run->vm.disk_count; i++)
		if (strcmp(run->vm.disks[i].name, FSTESTS_DISK) == 0)
			return run->vm.disks[i].path;
	return NULL;
}

/* Copies what the guests need, and describes it in the job. */
static int shared_run_fill(struct shared_run *s, const struct fstests_run *run, struct error **err)
{
	const char *fstests = find_fstests_image(run), *kernel;
	_cleanup_free_ char *results = NULL;
	json_t *digest;

	if (asprintf(&results, "%s/" RUN_RESULTS, run->dir.path) < 0)
		return error_no_memory(err);
	kernel = shared_run_copy_kernel(s, run->vm.kernel, err);
	if (!kernel || shared_run_copy_file(s, run->vm.root.path, "root.image", err) < 0 ||
	    (fstests && shared_run_copy_file(s, fstests, "fstests.image", err) < 0) ||
	    shared_run_copy_directory(s, results, RUN_RESULTS, err) < 0 ||
	    mkdirat(s->fd, SHARED_TASKS, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", s->path);
	digest = identity_of_file(run->vm.root.path, err);
	if (!digest)
		return -1;
	s->job = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:s*}", "version",
			   ROOTLET_VERSION, "run", run->dir.id, "kernel", kernel, "root",
			   run->vm.root.fstype, "image", digest, "source", run->source, "words",
			   words_to_json((const char *const *)run->words, run->word_count),
			   "options", options_to_json(run->options), "tree", run->tree);
	return s->job ? 0 : error_no_memory(err);
}

/* --- making and opening --------------------------------------------------------------------- */

/* Users who can write to the parent directory can replace this one, and rootlet runs what it names.
 * A file server may report nobody as the owner of all files. */
static int shared_run_check_owner(int fd, const char *path, struct error **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	if (st.st_uid == geteuid() || st.st_uid == NOBODY)
		return 0;
	return error_set(err, ERR_REFUSED, "%s belongs to user %u, not to you", path, st.st_uid);
}

static int shared_run_write_job(const struct shared_run *s, struct error **err)
{
	_cleanup_close_ int fd = openat(s->fd, JOB, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	_cleanup_free_ char *text = json_dumps(s->job, JSON_INDENT(2));

	if (fd < 0 || !text || write_all(fd, text, strlen(text)) < 0 || fsync(fd) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/" JOB, s->path);
	return 0;
}

static int shared_run_make_draft(const char *draft, const struct fstests_run *run,
				 const char *first, json_t *more, struct error **err)
{
	_cleanup_(shared_run_close) struct shared_run s = { .path = strdup(draft), .fd = -1 };

	if (!s.path)
		return error_no_memory(err);
	/* Guests write there, and may leave programs that run as their owner. */
	if (mkdir(draft, 0700) < 0)
		return error_errno(err, errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM, "cannot make %s",
				   draft);
	s.fd = open(draft, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", draft);
	if (shared_run_fill(&s, run, err) < 0 || claims_make(s.fd, first, err) < 0 ||
	    lease_make(s.fd, err) < 0)
		return -1;
	if (json_object_update(s.job, more) < 0)
		return error_no_memory(err);
	return shared_run_write_job(&s, err);
}

bool shared_run_is_hidden(const char *name)
{
	static const char form[] = ".dddddddd-dddddd-";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != form[i])
			return false;
	return true;
}

/* Removes what this user's processes left that were killed. NOW: by the file server's clock. */
static void shared_run_sweep(int parent, time_t now)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	struct stat st;

	if (!stream) {
		closep(&fd);
		return;
	}
	while ((entry = readdir(stream)))
		if (shared_run_is_hidden(entry->d_name) &&
		    fstatat(parent, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
		    now - st.st_mtime > STALE_SECONDS)
			dir_remove(parent, entry->d_name);
	closedir(stream);
}

int shared_run_create(const char *directory, const struct fstests_run *run, const char *first,
		      json_t *more, struct shared_run *out, struct error **err)
{
	_cleanup_close_ int parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *draft = NULL;
	struct stat st;
	int result;

	*out = SHARED_RUN_NONE;
	if (parent < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot open the shared directory %s", directory);
	if (asprintf(&path, "%s/%s", directory, run->dir.id) < 0 ||
	    asprintf(&name, ".%s", run->dir.id) < 0 ||
	    asprintf(&draft, "%s/%s", directory, name) < 0)
		return error_no_memory(err);
	result = shared_run_make_draft(draft, run, first, more, err);
	if (result == 0 && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		shared_run_sweep(parent, st.st_mtime);
	if (result == 0 && renameat(parent, name, parent, run->dir.id) < 0)
		result = error_errno(err, errno == ENOTEMPTY ? ERR_EXISTS : ERR_SYSTEM,
				     "cannot make %s", path);
	if (result == 0)
		return shared_run_open(path, out, err);
	/* A draft that existed before belongs to another process. */
	if (!err || !*err || (*err)->code != ERR_EXISTS)
		dir_remove(parent, name);
	return -1;
}

/* Opens the directory, and reads the job if there is one. */
static int shared_run_look(const char *path, int flags, struct shared_run *s, struct error **err)
{
	_cleanup_free_ char *text = NULL;

	if (!s->path)
		return error_no_memory(err);
	s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	if (s->fd < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot open the shared directory %s", path);
	if (shared_run_check_owner(s->fd, path, err) < 0)
		return -1;
	text = tree_read(s->fd, JOB, JOB_MOST, NULL, err);
	if (!text)
		return error_wrap(err, "%s", path);
	s->job = json_loads(text, 0, NULL);
	return 0;
}

int shared_run_open(const char *path, struct shared_run *out, struct error **err)
{
	_cleanup_(shared_run_close) struct shared_run s = { .path = strdup(path), .fd = -1 };
	const char *version;

	*out = SHARED_RUN_NONE;
	if (shared_run_look(path, 0, &s, err) < 0)
		return -1;
	version = json_string_value(json_object_get(s.job, "version"));
	if (!version || strcmp(version, ROOTLET_VERSION) != 0)
		return error_set(err, ERR_INPUT,
				 "%s is from rootlet %.20s, this is " ROOTLET_VERSION
				 ": install the same version on all machines",
				 path, version ? version : "unknown");
	*out = (struct shared_run){ STEAL_PTR(s.path), steal_fd(&s.fd), STEAL_PTR(s.job) };
	return 0;
}

int shared_run_open_own(const char *path, const char *id, struct shared_run *out,
			struct error **err)
{
	_cleanup_(shared_run_close) struct shared_run s = { .path = strdup(path), .fd = -1 };
	const char *run;

	*out = SHARED_RUN_NONE;
	if (shared_run_look(path, O_NOFOLLOW, &s, err) < 0)
		return -1;
	run = json_string_value(json_object_get(s.job, "run"));
	if (!run || strcmp(run, id) != 0)
		return error_set(err, ERR_REFUSED, "%s is not the shared directory of run %s", path,
				 id);
	*out = (struct shared_run){ STEAL_PTR(s.path), steal_fd(&s.fd), STEAL_PTR(s.job) };
	return 0;
}

/* Renames it first, so that no process sees half of it. */
int shared_run_remove(struct shared_run *s, struct error **err)
{
	_cleanup_close_ int parent = openat(s->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *id = strrchr(s->path, '/') + 1;
	_cleanup_free_ char *gone = NULL;

	if (parent < 0 || asprintf(&gone, ".%s", id) < 0 ||
	    renameat(parent, id, parent, gone) < 0 || dir_remove(parent, gone) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s", s->path);
	return 0;
}

/* --- on a node ------------------------------------------------------------------------------ */

int shared_run_add_task(const struct shared_run *s, const char *task, struct run_dir *dir,
			struct error **err)
{
	_cleanup_free_ char *template = NULL;
	_cleanup_free_ char *results = NULL;

	*dir = (struct run_dir){ .id = strdup(task), .fd = -1 };
	if (!dir->id || asprintf(&dir->path, "%s/" SHARED_TASKS "/%s", s->path, task) < 0 ||
	    asprintf(&template, "%s/" RUN_RESULTS, s->path) < 0 ||
	    asprintf(&results, "%s/" RUN_RESULTS, dir->path) < 0)
		return error_no_memory(err);
	if (mkdir(dir->path, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", dir->path);
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", dir->path);
	return shared_run_copy(template, results, err);
}

void shared_guest_clear(struct shared_guest *g)
{
	kernel_free(&g->kernel);
	free(g->root);
	free(g->fstests);
	free(g->results);
	free(g->words);
	free(g->vng_words);
}

static void shared_guest_add_disks(struct shared_guest *g)
{
	struct vm_config *vm = &g->run.vm;

	for (unsigned int i = 0; i < g->options.device_count && i < DEVICES_MAX; i++)
		g->disks[vm->disk_count++] = fstests_device(&g->options, i);
	g->disks[vm->disk_count++] =
		(struct vm_disk){ .name = FSTESTS_DISK, .path = g->fstests, .read_only = true };
	vm->disks = g->disks;
}

int shared_run_read(const struct shared_run *s, const struct run_dir *dir, struct shared_guest *g,
		    struct error **err)
{
	const json_t *vng_words = json_object_get(json_object_get(s->job, "options"), "vng_words");
	const char *kernel = json_string_value(json_object_get(s->job, "kernel"));
	_cleanup_free_ char *path = NULL;

	g->words = shared_run_words(s, &g->run.word_count);
	g->vng_words = words_of_json(vng_words, &g->options.vng_word_count);
	if (!g->words || !g->vng_words || !kernel ||
	    asprintf(&path, "%s/%s", s->path, kernel) < 0 ||
	    asprintf(&g->root, "%s/root.image", s->path) < 0 ||
	    asprintf(&g->fstests, "%s/fstests.image", s->path) < 0 ||
	    asprintf(&g->results, "%s/" RUN_RESULTS, dir->path) < 0)
		return error_no_memory(err);
	if (kernel_open(path, &g->kernel, err) < 0)
		return -1;
	shared_run_options(s, &g->options);
	g->share = (struct vm_share){ g->results, RESULTS_SHARE, false };
	g->run.options = &g->options;
	g->run.words = g->words;
	g->run.source = json_string_value(json_object_get(s->job, "source"));
	g->run.vm = (struct vm_config){
		.root = { .kind = VM_ROOT_IMAGE,
			  .path = g->root,
			  .fstype = json_string_value(json_object_get(s->job, "root")),
			  .userns = -1 },
		.kernel = g->kernel,
		.append = g->options.append,
		.boot_timeout = g->options.boot_timeout,
		.vng_words = (const char *const *)g->vng_words,
		.unsealed = g->options.unsealed,
		.shares = &g->share,
		.share_count = 1,
	};
	shared_guest_add_disks(g);
	return 0;
}
