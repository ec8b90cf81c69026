#include "frontend/fstests/indexed_run.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/result_line.h"
#include "frontend/fstests/run_directory.h"

/* A file system's clock advances in steps, of 10 ms with CONFIG_HZ=100 and of two seconds on FAT.
 */
#define SETTLED_SECONDS 2
#define TEXT_MOST 256 /* bytes of a section or name, with the NUL */

void indexed_run_clear(struct indexed_run *run)
{
	free(run->id);
	free(run->status);
	free(run->fstype);
	free(run->kernel_version);
	free(run->kernel);
	free(run->outcomes);
}

bool indexed_run_busy(const struct indexed_run *run)
{
	_cleanup_(run_dir_close) struct run_dir dir = RUN_DIR_NONE;

	return run->readable == RUN_READABLE && !run->status &&
	       run_dir_open(run->id, &dir, NULL) == 0 && run_dir_busy(&dir);
}

const char *indexed_run_state(const struct indexed_run *run)
{
	if (run->readable != RUN_READABLE)
		return run->readable == RUN_DAMAGED ? "damaged" : "newer format";
	if (run->status)
		return run->status;
	return indexed_run_busy(run) ? "running" : "cut off";
}

/* --- changes -------------------------------------------------------------------------------- */

/* FNV-1a: draft-eastlake-fnv of the IETF. */
uint64_t sum_bytes(uint64_t sum, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* Returns false if the file is missing. */
static bool stamp_file(int runs, const char *id, const char *name, uint64_t *stamp, time_t *newest)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int64_t values[6] = { 0 };
	bool found = asprintf(&path, "%s/%s", id, name) >= 0 && fstatat(runs, path, &st, 0) == 0;

	if (found) {
		values[0] = (int64_t)st.st_ino;
		values[1] = (int64_t)st.st_size;
		values[2] = (int64_t)st.st_mtim.tv_sec;
		values[3] = (int64_t)st.st_mtim.tv_nsec;
		values[4] = (int64_t)st.st_ctim.tv_sec;
		values[5] = (int64_t)st.st_ctim.tv_nsec;
		if (st.st_ctim.tv_sec > *newest)
			*newest = st.st_ctim.tv_sec;
	}
	*stamp = sum_bytes(*stamp, values, sizeof(values));
	return found;
}

enum stamp_result run_stamp(int runs, const char *id, uint64_t *stamp)
{
	time_t newest = 0;

	*stamp = SUM_FIRST;
	if (!stamp_file(runs, id, RUN_RECORD, stamp, &newest))
		return STAMP_MISSING;
	stamp_file(runs, id, RUN_TESTS, stamp, &newest);
	return newest + SETTLED_SECONDS < time(NULL) ? STAMP_GOOD : STAMP_FRESH;
}

/* --- the results ---------------------------------------------------------------------------- */

struct outcome_reader {
	find_test *find;
	void *context;
	struct indexed_run *run;
	size_t room; /* for outcomes */
};

static bool outcome_add(struct outcome_reader *r, const char *section, const char *name,
			enum test_status status, double seconds)
{
	struct indexed_run *run = r->run;
	unsigned int at;

	if (!r->find(r->context, section, name, &at))
		return false;
	if (run->outcome_count == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct run_outcome *larger = reallocarray(run->outcomes, room, sizeof(*larger));

		if (!larger)
			return false;
		run->outcomes = larger;
		r->room = room;
	}
	run->outcomes[run->outcome_count++] = (struct run_outcome){
		.test = at & 0xffffff,
		.status = (unsigned int)status & 0xff,
		.seconds = (float)seconds,
	};
	run->counts[status]++;
	return true;
}

static bool line_copy(const struct line_text *text, char out[static TEXT_MOST])
{
	if (text->length >= TEXT_MOST)
		return false;
	if (text->length)
		memcpy(out, text->start, text->length);
	out[text->length] = '\0';
	return true;
}

/* Returns false if the line needs a full reader. */
static bool outcome_read_fast(struct outcome_reader *r, const char *line, size_t length, bool *good)
{
	char section[TEXT_MOST], name[TEXT_MOST], status[TEXT_MOST];
	enum test_status parsed;
	struct result_line fields;

	if (!result_line_read(line, length, &fields) || !fields.name.start ||
	    !line_copy(&fields.section, section) || !line_copy(&fields.name, name) ||
	    !line_copy(&fields.status, status) || !test_status_parse(status, &parsed))
		return false;
	*good = outcome_add(r, section, name, parsed, fields.seconds);
	return true;
}

static bool outcome_read_any(struct outcome_reader *r, const char *line, size_t length,
			     struct error **err)
{
	_cleanup_(results_clear) struct results one = { 0 };

	if (results_read_line(&one, line, length, err) < 0)
		return false;
	return !one.count || outcome_add(r, one.list->section, one.list->name, one.list->status,
					 one.list->seconds);
}

static int read_outcomes(const struct run_dir *dir, struct outcome_reader *r, struct error **err)
{
	_cleanup_error_ struct error *ignored = NULL;
	/* It is missing until the first test has ended. */
	_cleanup_free_ char *text = tree_read(dir->fd, RUN_TESTS, RESULTS_MOST, NULL, &ignored);

	for (const char *line = text, *end; line && (end = strchr(line, '\n')); line = end + 1) {
		size_t length = (size_t)(end - line);
		bool good;

		if (!outcome_read_fast(r, line, length, &good))
			good = outcome_read_any(r, line, length, err);
		if (!good)
			return error_no_memory(err);
	}
	return 0;
}

/* --- the run -------------------------------------------------------------------------------- */

static char *copy_member(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? strdup(text) : NULL;
}

static void take_record(struct indexed_run *run, const json_t *record)
{
	run->status = copy_member(record, "status");
	run->fstype = copy_member(record, "fstype");
	run->kernel_version = copy_member(record, "kernel_version");
	run->kernel = copy_member(json_object_get(record, "identity"), "kernel");
	if (!run->kernel && run->kernel_version)
		run->kernel = strdup(run->kernel_version);
	run->began = json_integer_value(json_object_get(record, "began"));
}

int indexed_run_read(const char *id, find_test *find, void *context, struct indexed_run *run,
		     struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir dir = RUN_DIR_NONE;
	struct outcome_reader reader = { .find = find, .context = context, .run = run };
	_cleanup_error_ struct error *why = NULL;
	json_t *record;

	*run = (struct indexed_run){ .id = strdup(id) };
	if (!run->id)
		return error_no_memory(err);
	if (run_dir_open(id, &dir, &why) < 0)
		return 1;
	record = run_dir_read(&dir, &why);
	if (!record) {
		run->readable = why && why->code == ERR_REFUSED ? RUN_NEWER : RUN_DAMAGED;
		return 0;
	}
	take_record(run, record);
	json_decref(record);
	return read_outcomes(&dir, &reader, err);
}
