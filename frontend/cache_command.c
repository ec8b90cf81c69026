/* rootlet cache: what is kept below $XDG_CACHE_HOME/rootlet: packages and indexes by their hash,
 * and bases. All of it may go at any time; what is damaged goes as soon as it is found to be. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/base.h"
#include "frontend/cache.h"
#include "frontend/command.h"
#include "frontend/events.h"
#include "frontend/inspect.h"
#include "frontend/interrupt.h"
#include "frontend/progress.h"
#include "frontend/text.h"

const char cache_help[] =
	"usage: rootlet cache [list] [--json]\n"
	"       rootlet cache verify [--json]\n"
	"       rootlet cache prune --max-size SIZE [--json]\n\n"
	"The cache holds what was downloaded, and finished trees that the next create of the same\n"
	"clones.\n\n"
	"  list             each kind, how many there are and how large they are (default)\n"
	"  verify           reads all of it again; what is damaged is removed, and made anew when\n"
	"                   needed\n"
	"  prune            removes what was not used for the longest time\n"
	"  --max-size SIZE  with prune: how much may be left, 10G or 500M\n"
	"  --json           the same as JSON: list an array, verify and prune one event a line, "
	"the\n"
	"                   last of them the result\n"
	"  --color WHEN     auto (default), always or never\n"
	"  --help\n\n"
	"Exit status: 0; 1 failed; 2 wrong command line; 3 verify: something was damaged.\n";

const struct option cache_options[] = {
	{ "max-size", required_argument, NULL, 'm' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* In the order of the kinds of objects. */
static const char *const folders[] = { "packages", "indexes", BASES_FOLDER };
#define KINDS (sizeof(folders) / sizeof(folders[0]))
#define KIND_BASE 2

struct object {
	size_t kind;
	char name[2 * SHA256_LEN + 1];
	uint64_t bytes;
	int64_t used;
};

struct listing {
	bool json;
	struct helper *helper;	   /* started for the first base */
	struct progress *progress; /* NULL for list */
	json_t *result;		   /* of verify and prune */
	int folders[KINDS];
	struct object *list;
	size_t count;
};

static void listing_clear(struct listing *l)
{
	helper_stop(&l->helper);
	progress_free(&l->progress);
	json_decref(l->result);
	for (size_t i = 0; i < KINDS; i++)
		closep(&l->folders[i]);
	free(l->list);
}

/* Tells that OBJECTS and BYTES of all are done, and stops where somebody wants to leave. */
static int go_on(const struct listing *l, size_t objects, uint64_t bytes, uint64_t bytes_total,
		 struct error **err)
{
	if (interrupt_caught())
		return error_set(err, ERR_INTERRUPTED, "interrupted");
	progress_update(l->progress, objects, l->count, bytes, bytes_total);
	return 0;
}

static uint64_t total_of(const struct listing *l)
{
	uint64_t total = 0;

	for (size_t i = 0; i < l->count; i++)
		total += l->list[i].bytes;
	return total;
}

static int start_helper(struct listing *l, struct error **err)
{
	return l->helper ? 0 : helper_start("cache", NULL, &l->helper, err);
}

static int open_base(const struct listing *l, const char *name)
{
	return openat(l->folders[KIND_BASE], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A base was last used when its lock was last taken. */
static int measure_base(struct listing *l, struct object *o, struct error **err)
{
	_cleanup_close_ int base = open_base(l, o->name);
	char lock[sizeof(o->name) + 8];
	struct answer answer;
	struct stat st;

	if (base < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open base %s", o->name);
	if (start_helper(l, err) < 0 || inspect_tree(l->helper, base, false, &answer, err) < 0)
		return -1;
	o->bytes = answer.bytes;
	snprintf(lock, sizeof(lock), ".%s.lock", o->name);
	if (fstatat(l->folders[KIND_BASE], lock, &st, AT_SYMLINK_NOFOLLOW) == 0)
		o->used = st.st_mtime;
	return 0;
}

static int add(struct listing *l, size_t kind, const char *name, const struct stat *st,
	       struct error **err)
{
	struct object *more = reallocarray(l->list, l->count + 1, sizeof(*more));

	if (!more)
		return error_set(err, ERR_SPACE, "out of memory");
	l->list = more;
	more += l->count++;
	*more = (struct object){ .kind = kind,
				 .bytes = (uint64_t)st->st_blocks * 512,
				 .used = st->st_mtime };
	snprintf(more->name, sizeof(more->name), "%s", name);
	return kind == KIND_BASE ? measure_base(l, more, err) : 0;
}

/* Names are hashes; what else is there is on its way. */
static int scan_folder(struct listing *l, size_t kind, struct error **err)
{
	_cleanup_free_ char *path = cache_path(folders[kind], err);
	DIR *d = path ? opendir(path) : NULL;
	const struct dirent *entry;
	uint8_t hash[SHA256_LEN];
	struct stat st;
	int r = 0;

	if (path)
		l->folders[kind] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!d || l->folders[kind] < 0) {
		if (d)
			closedir(d);
		return error_errno(err, ERR_SYSTEM, "cannot look through the cache");
	}
	while (r == 0 && (entry = readdir(d)))
		if (sha256_from_hex(entry->d_name, strlen(entry->d_name), hash) &&
		    fstatat(l->folders[kind], entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = add(l, kind, entry->d_name, &st, err);
	closedir(d);
	return r;
}

static int scan(struct listing *l, struct error **err)
{
	for (size_t i = 0; i < KINDS; i++)
		if (scan_folder(l, i, err) < 0)
			return -1;
	return 0;
}

static void show(const struct listing *l)
{
	json_t *kinds = l->json ? json_array() : NULL;
	char size[TEXT_SIZE_LEN];

	if (!l->json)
		printf("%-10s %8s %8s\n", "KIND", "OBJECTS", "SIZE");
	for (size_t kind = 0; kind < KINDS; kind++) {
		uint64_t bytes = 0;
		size_t count = 0;

		for (size_t i = 0; i < l->count; i++)
			if (l->list[i].kind == kind) {
				bytes += l->list[i].bytes;
				count++;
			}
		if (l->json)
			json_array_append_new(kinds,
					      json_pack("{s:s, s:I, s:I}", "kind", folders[kind],
							"objects", (json_int_t)count, "bytes",
							(json_int_t)bytes));
		else
			printf("%-10s %8zu %8s\n", folders[kind], count, text_size(bytes, size));
	}
	if (l->json)
		document_print(kinds);
}

/* Not while a create uses it. */
static int remove_base(struct listing *l, const struct object *o, struct error **err)
{
	char name[sizeof(o->name) + 8];
	_cleanup_close_ int lock = -1;

	snprintf(name, sizeof(name), ".%s.lock", o->name);
	lock = openat(l->folders[KIND_BASE], name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return error_errno(err, ERR_BUSY, "base %.12s is in use", o->name);
	if (start_helper(l, err) < 0 ||
	    base_remove(l->helper, l->folders[KIND_BASE], o->name, err) < 0)
		return -1;
	unlinkat(l->folders[KIND_BASE], name, 0);
	return 0;
}

static int remove_object(struct listing *l, const struct object *o, struct error **err)
{
	if (o->kind == KIND_BASE)
		return remove_base(l, o, err);
	if (unlinkat(l->folders[o->kind], o->name, 0) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s/%s", folders[o->kind],
				   o->name);
	return 0;
}

static int verify_base(struct listing *l, const struct object *o, struct error **err)
{
	_cleanup_close_ int base = open_base(l, o->name);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Verify message = ROOTLET__VERIFY__INIT;

	request.kind_case = ROOTLET__REQUEST__KIND_VERIFY;
	request.verify = &message;
	if (base < 0)
		return 0;
	return start_helper(l, err) < 0 ? -1
					: helper_call(l->helper, &request, &base, 1, NULL, err);
}

static int verify_file(struct listing *l, const struct object *o, struct error **err)
{
	_cleanup_close_ int fd =
		openat(l->folders[o->kind], o->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint8_t want[SHA256_LEN], have[SHA256_LEN];

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, ERR_TRUST, "cannot read %s", o->name);
	sha256_from_hex(o->name, strlen(o->name), want);
	if (file_sha256(fd, have, err) < 0)
		return -1;
	if (memcmp(want, have, SHA256_LEN) != 0)
		return error_set(err, ERR_TRUST, "its hash is not its name");
	return 0;
}

/* Returns 1 where O was damaged, and is gone. */
static int verify_object(struct listing *l, const struct object *o, json_t *damaged,
			 struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	int r = o->kind == KIND_BASE ? verify_base(l, o, &why) : verify_file(l, o, &why);

	if (r == 0)
		return 0;
	if (!why || why->code != ERR_TRUST)
		return error_set(err, why ? why->code : ERR_SPACE, "%s",
				 why ? why->message : "out of memory");
	if (remove_object(l, o, err) < 0)
		return error_wrap(err, "%s/%s is damaged: %s", folders[o->kind], o->name,
				  why->message);
	progress_note(l->progress, "damaged, removed: %s/%s: %s", folders[o->kind], o->name,
		      why->message);
	json_array_append_new(damaged,
			      json_pack("{s:s, s:s, s:o}", "kind", folders[o->kind], "name",
					o->name, "message", json_text(why->message)));
	return 1;
}

static int verify(struct listing *l, size_t *damaged, struct error **err)
{
	uint64_t bytes = 0, total = total_of(l);
	json_t *list = json_array();

	l->result = json_pack("{s:I, s:o}", "objects", (json_int_t)l->count, "damaged", list);
	progress_stage(l->progress, "Reading the cache");
	for (size_t i = 0; i < l->count; i++) {
		int r = verify_object(l, &l->list[i], list, err);

		bytes += l->list[i].bytes;
		if (r < 0 || go_on(l, i + 1, bytes, total, err) < 0)
			return -1;
		*damaged += r > 0;
	}
	progress_end(l->progress);
	if (!l->json)
		printf("%zu objects, %zu damaged\n", l->count, *damaged);
	return 0;
}

static int by_use(const void *a, const void *b)
{
	const struct object *one = a, *other = b;

	return (one->used > other->used) - (one->used < other->used);
}

static int prune(struct listing *l, uint64_t most, struct error **err)
{
	uint64_t total = total_of(l), wanted = total > most ? total - most : 0, gone = 0;
	char size[TEXT_SIZE_LEN], left[TEXT_SIZE_LEN];

	progress_stage(l->progress, "Removing from the cache");
	qsort(l->list, l->count, sizeof(*l->list), by_use);
	for (size_t i = 0; i < l->count && total - gone > most; i++) {
		_cleanup_error_ struct error *why = NULL;

		if (remove_object(l, &l->list[i], &why) == 0)
			gone += l->list[i].bytes;
		else if (!why || why->code != ERR_BUSY)
			return error_set(err, why ? why->code : ERR_SPACE, "%s",
					 why ? why->message : "out of memory");
		if (go_on(l, i + 1, gone, gone > wanted ? gone : wanted, err) < 0)
			return -1;
	}
	progress_end(l->progress);
	l->result = json_pack("{s:I, s:I}", "removed_bytes", (json_int_t)gone, "left_bytes",
			      (json_int_t)(total - gone));
	if (!l->json)
		printf("removed %s, left %s\n", text_size(gone, size),
		       text_size(total - gone, left));
	return 0;
}

/* "10G", "500M", "4096"; false where it is no size. */
static bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	char *end;
	const char *unit;

	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (errno || end == text || text[0] < '0' || text[0] > '9')
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end);
	if (!unit || end[1] || *bytes > UINT64_MAX >> 41)
		return false;
	*bytes <<= 10 * (unit - units + 1);
	return true;
}

static int list(struct listing *l, struct error **err)
{
	if (scan(l, err) < 0)
		return -1;
	show(l);
	return 0;
}

/* Both take long. MOST is for prune. */
static int verify_or_prune(struct listing *l, bool pruning, uint64_t most, size_t *damaged,
			   struct error **err)
{
	l->progress = progress_new(l->json ? PROGRESS_JSON : PROGRESS_STDOUT);
	progress_stage(l->progress, "Looking through the cache");
	if (scan(l, err) < 0)
		return -1;
	return pruning ? prune(l, most, err) : verify(l, damaged, err);
}

/* Returns the exit status. VERB is one of those below. */
static int run(const char *verb, uint64_t most, bool json)
{
	_cleanup_(listing_clear) struct listing l = { .json = json, .folders = { -1, -1, -1 } };
	_cleanup_error_ struct error *err = NULL;
	bool pruning = strcmp(verb, "prune") == 0, stream = pruning || strcmp(verb, "verify") == 0;
	size_t damaged = 0;
	int r, status;

	interrupt_catch();
	r = stream ? verify_or_prune(&l, pruning, most, &damaged, &err) : list(&l, &err);
	progress_end(l.progress);
	status = r < 0 ? report_error("cache", err) : damaged ? EXIT_TRUST : EXIT_OK;
	if (json && stream)
		return r < 0 ? event_failure(json_object(), err, status)
			     : event_result(json_incref(l.result), status);
	return json && r < 0 ? document_failure(err, status) : status;
}

int command_cache(int argc, char **argv)
{
	static const char *const verbs[] = { "list", "verify", "prune" };
	const char *verb = "list", *size = NULL;
	uint64_t most = 0;
	bool json = false, known = false;
	int option;

	while ((option = getopt_long(argc, argv, "", cache_options, NULL)) != -1) {
		if (option == 'j')
			json = true;
		else
			size = optarg;
	}
	if (optind < argc)
		verb = argv[optind++];
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		known = known || strcmp(verb, verbs[i]) == 0;
	if (!known)
		return report_verb("cache", verb, verbs, sizeof(verbs) / sizeof(*verbs));
	if (optind < argc)
		return report_usage("cache", "\"%.80s\" is one word too many", argv[optind]);
	if ((strcmp(verb, "prune") == 0) != (size != NULL))
		return report_usage("cache", "prune needs --max-size, and nothing else takes it");
	if (size && !parse_size(size, &most))
		return report_usage("cache", "\"%.80s\" is no size, such as 10G or 500M", size);
	return run(verb, most, json);
}
