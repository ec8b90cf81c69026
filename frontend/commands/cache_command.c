/* rootlet cache: lists, verifies, prunes, exports and imports $XDG_CACHE_HOME/rootlet. Everything
 * in there may be removed at any time. Damaged objects are removed as soon as they are found. */
#include <stdbool.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/progress.h"
#include "frontend/cli/text.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/cache_objects.h"
#include "frontend/rootfs/cache_transfer.h"
#include "frontend/vm/vm_options.h"

enum { VERB_LIST = OPTION_OWN, VERB_VERIFY, VERB_PRUNE, VERB_EXPORT, VERB_IMPORT, OPTION_MAX_SIZE };

static const struct option_row cache_rows[] = {
	{ "list", NULL, VERB_LIST, "list each kind of object, how many there are and their size",
	  .preset = true },
	{ "verify", NULL, VERB_VERIFY,
	  "read everything and remove what is damaged; rootlet rebuilds it when needed" },
	{ "prune", NULL, VERB_PRUNE,
	  "remove what was not used for the longest time, unless it is in use" },
	{ "export", "FILE", VERB_EXPORT,
	  "write the snapshots and kernels to FILE, for the cache of another machine" },
	{ "import", "FILE", VERB_IMPORT, "add what export wrote, if it is whole" },
	{ "--max-size", "SIZE", OPTION_MAX_SIZE, "the size that prune keeps, such as 10G or 500M",
	  .verb = VERB_PRUNE, .required = true },
	JSON_ROW("JSON output: an array for list; events for the others, one per line, and "
		 "finally the result"),
	{ NULL },
};

struct cache_listing {
	bool json;
	struct progress *progress; /* NULL for list */
	json_t *result;		   /* of verify and prune */
	struct cache_objects objects;
};

static void listing_clear(struct cache_listing *l)
{
	progress_free(&l->progress);
	json_decref(l->result);
	cache_objects_clear(&l->objects);
}

/* Reports that COUNT objects and BYTES of BYTES_TOTAL are done. Fails after an interrupt. */
static int go_on(const struct cache_listing *l, size_t count, uint64_t bytes, uint64_t bytes_total,
		 struct error **err)
{
	if (interrupt_caught())
		return error_set(err, ERR_INTERRUPTED, "interrupted");
	progress_update(l->progress, count, l->objects.count, bytes, bytes_total);
	return 0;
}

static uint64_t total_of(const struct cache_listing *l)
{
	uint64_t total = 0;

	for (size_t i = 0; i < l->objects.count; i++)
		total += l->objects.list[i].bytes;
	return total;
}

static size_t count_kind(const struct cache_listing *l, size_t kind, uint64_t *bytes)
{
	size_t count = 0;

	*bytes = 0;
	for (size_t i = 0; i < l->objects.count; i++)
		if (l->objects.list[i].kind == kind) {
			*bytes += l->objects.list[i].bytes;
			count++;
		}
	return count;
}

static void cache_show(const struct cache_listing *l)
{
	json_t *kinds = l->json ? json_array() : NULL;
	char size[TEXT_SIZE_LEN];

	if (!l->json)
		printf("%-10s %8s %8s\n", "KIND", "OBJECTS", "SIZE");
	for (size_t kind = 0; kind < CACHE_KINDS; kind++) {
		const char *name = cache_kinds[kind];
		uint64_t bytes;
		size_t count = count_kind(l, kind, &bytes);

		if (l->json)
			json_array_append_new(kinds, json_pack("{s:s, s:I, s:I}", "kind", name,
							       "objects", (json_int_t)count,
							       "bytes", (json_int_t)bytes));
		else
			printf("%-10s %8zu %8s\n", name, count, text_size(bytes, size));
	}
	if (l->json)
		document_print(kinds);
}

/* Returns 1 if O is damaged. It is removed; if it is in use, it stays, and later users ignore it.
 */
static int verify_object(struct cache_listing *l, const struct cache_object *o, json_t *damaged,
			 struct error **err)
{
	const char *kind = cache_kinds[o->kind];
	_cleanup_error_ struct error *why = NULL, *stays = NULL;

	if (cache_object_verify(&l->objects, o, &why) == 0)
		return 0;
	if (!why || why->code != ERR_TRUST)
		return error_set(err, why ? why->code : ERR_SPACE, "%s", error_text(why));
	if (cache_object_remove(&l->objects, o, &stays) < 0 && (!stays || stays->code != ERR_BUSY))
		return error_set(err, stays ? stays->code : ERR_SPACE, "%s/%s is damaged: %s: %s",
				 kind, o->name, why->message, error_text(stays));
	progress_note(l->progress, "damaged, %s: %s/%s: %s", stays ? "still in use" : "removed",
		      kind, o->name, why->message);
	json_array_append_new(damaged, json_pack("{s:s, s:s, s:o}", "kind", kind, "name", o->name,
						 "message", json_text(why->message)));
	return 1;
}

static int cache_verify(struct cache_listing *l, size_t *damaged, struct error **err)
{
	uint64_t bytes = 0, total = total_of(l);
	json_t *list = json_array();

	l->result = json_pack("{s:o}", "damaged", list);
	progress_stage(l->progress, "Reading the cache");
	for (size_t i = 0; i < l->objects.count; i++) {
		int r = verify_object(l, &l->objects.list[i], list, err);

		bytes += l->objects.list[i].bytes;
		if (r < 0 || go_on(l, i + 1, bytes, total, err) < 0)
			return -1;
		*damaged += r > 0;
	}
	json_object_set_new(l->result, "objects", json_integer((json_int_t)l->objects.count));
	progress_end(l->progress);
	if (!l->json)
		printf("%zu objects, %zu damaged\n", l->objects.count, *damaged);
	return 0;
}

static int by_use(const void *a, const void *b)
{
	const struct cache_object *one = a, *other = b;

	return (one->used > other->used) - (one->used < other->used);
}

static int cache_remove_old(struct cache_listing *l, uint64_t most, struct error **err)
{
	uint64_t total = total_of(l), wanted = total > most ? total - most : 0, gone = 0;
	struct cache_objects *objects = &l->objects;
	char size[TEXT_SIZE_LEN], left[TEXT_SIZE_LEN];

	progress_stage(l->progress, "Removing from the cache");
	if (objects->count)
		qsort(objects->list, objects->count, sizeof(*objects->list), by_use);
	for (size_t i = 0; i < objects->count && total - gone > most; i++) {
		_cleanup_error_ struct error *why = NULL;

		if (cache_object_remove(objects, &objects->list[i], &why) == 0)
			gone += objects->list[i].bytes;
		else if (!why || why->code != ERR_BUSY)
			return error_set(err, why ? why->code : ERR_SPACE, "%s", error_text(why));
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

static int cache_list(struct cache_listing *l, struct error **err)
{
	if (cache_objects_scan(&l->objects, err) < 0)
		return -1;
	cache_show(l);
	return 0;
}

/* These two take a while, and show progress. MOST is for prune. */
static int verify_or_prune(struct cache_listing *l, bool pruning, uint64_t most, size_t *damaged,
			   struct error **err)
{
	l->progress = progress_new(l->json ? PROGRESS_JSON : PROGRESS_STDOUT);
	progress_stage(l->progress, "Looking through the cache");
	if (cache_objects_scan(&l->objects, err) < 0)
		return -1;
	return pruning ? cache_remove_old(l, most, err) : cache_verify(l, damaged, err);
}

/* MOST is for prune. Returns the exit status. */
static int cache_run(int verb, uint64_t most, bool json)
{
	_cleanup_(listing_clear) struct cache_listing l = { .json = json,
							    .objects = CACHE_OBJECTS_NONE };
	_cleanup_error_ struct error *err = NULL;
	bool pruning = verb == VERB_PRUNE, stream = verb != VERB_LIST;
	size_t damaged = 0;
	int r, status;

	interrupt_catch();
	r = stream ? verify_or_prune(&l, pruning, most, &damaged, &err) : cache_list(&l, &err);
	progress_end(l.progress);
	status = r < 0 ? report_error("cache", err) : damaged ? EXIT_TRUST : EXIT_OK;
	if (json && stream)
		return r < 0 ? event_failure(json_object(), err, status)
			     : event_result(json_incref(l.result), status);
	return json && r < 0 ? document_failure(err, status) : status;
}

/* --- export and import --- */

static void print_moved(const struct cache_moved *m, bool importing)
{
	char size[TEXT_SIZE_LEN];

	text_size(m->bytes, size);
	if (importing)
		printf("imported %zu snapshots and %zu kernels of %s; %zu were there, %zu not "
		       "imported\n",
		       m->snapshots, m->kernels, size, m->present, json_array_size(m->rejected));
	else
		printf("exported %zu snapshots and %zu kernels: %s\n", m->snapshots, m->kernels,
		       size);
}

static json_t *describe_moved(const struct cache_moved *m, bool importing)
{
	json_t *result =
		json_pack("{s:I, s:I, s:I}", "snapshots", (json_int_t)m->snapshots, "kernels",
			  (json_int_t)m->kernels, "bytes", (json_int_t)m->bytes);

	if (importing) {
		json_object_set_new(result, "present", json_integer((json_int_t)m->present));
		json_object_set(result, "rejected", m->rejected);
	}
	return result;
}

static int cache_move(const char *path, bool importing, bool json)
{
	struct progress *progress = progress_new(json ? PROGRESS_JSON : PROGRESS_STDOUT);
	struct cache_moved moved = { .rejected = json_array() };
	_cleanup_error_ struct error *err = NULL;
	int r, status;

	interrupt_catch();
	r = importing ? cache_import(path, progress, &moved, &err)
		      : cache_export(path, progress, &moved, &err);
	progress_end(progress);
	progress_free(&progress);
	status = r < 0				       ? report_error("cache", err)
		 : json_array_size(moved.rejected) > 0 ? EXIT_TRUST
						       : EXIT_OK;
	if (r == 0 && !json)
		print_moved(&moved, importing);
	if (json)
		status = r < 0 ? event_failure(json_object(), err, status)
			       : event_result(describe_moved(&moved, importing), status);
	json_decref(moved.rejected);
	return status;
}

static int command_cache(const struct parsed_line *line)
{
	const char *size = line_value(line, OPTION_MAX_SIZE);
	uint64_t most = size ? parse_size(size, false) : 0;

	if (size && !most && strcmp(size, "0") != 0)
		return report_usage(line->name,
				    "invalid size \"%.80s\": give one such as 10G or 500M", size);
	if (line->verb == VERB_EXPORT || line->verb == VERB_IMPORT)
		return cache_move(line->operands[0], line->verb == VERB_IMPORT,
				  line_has(line, OPTION_JSON));
	return cache_run(line->verb, most, line_has(line, OPTION_JSON));
}

const struct command cache_command = {
	.name = "cache",
	.summary = "list, verify, prune and move the cache",
	.about = "The cache holds downloads, snapshots (finished trees that the next create with "
		 "the same settings clones), the images that guests boot from, and builds of "
		 "fstests.",
	.statuses = "0 done; 1 failed; 2 wrong command line; 3 verify: something was damaged; "
		    "import: not everything was imported.",
	.rows = cache_rows,
	.run = command_cache,
};
