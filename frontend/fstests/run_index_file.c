#include "frontend/fstests/run_index_file.h"

#include <sqlite3.h>
#include <string.h>

#include "frontend/cli/word_list.h"

#define INDEX_FORMAT 1	      /* PRAGMA user_version */
#define COMMIT_RUNS 500	      /* that are lost if the process is killed meanwhile */
#define TESTS_MOST (1u << 24) /* struct run_outcome */

static const char schema[] =
	"CREATE TABLE test (id INTEGER PRIMARY KEY, section TEXT, name TEXT, sum INTEGER);"
	"CREATE TABLE run (id TEXT PRIMARY KEY, stamp INTEGER, status TEXT, fstype TEXT,"
	" kernel_version TEXT, kernel TEXT, began INTEGER, readable INTEGER, counts BLOB,"
	" tests INTEGER, outcome_sum INTEGER, sum INTEGER, outcomes BLOB);"
	"PRAGMA user_version = 1;";

enum run_column {
	RUN_ID,
	RUN_STAMP,
	RUN_STATUS,
	RUN_FSTYPE,
	RUN_VERSION,
	RUN_KERNEL_ID,
	RUN_BEGAN,
	RUN_IS_READABLE,
	RUN_COUNTS,
	RUN_TEST_COUNT, /* how many tests there must be for the outcomes to name any */
	RUN_OUTCOME_SUM,
	RUN_SUM,
	RUN_OUTCOMES, /* last, so that SQLite need not read them */
	RUN_COLUMNS,
};

enum statement { PUT_TEST, PUT_RUN, DROP_RUN, STATEMENTS };

static const char *const statement_texts[STATEMENTS] = {
	[PUT_TEST] = "INSERT INTO test VALUES (?, ?, ?, ?)",
	[PUT_RUN] = "REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[DROP_RUN] = "DELETE FROM run WHERE id = ?",
};

struct stamped_run {
	struct indexed_run run;
	uint64_t stamp; /* 0: read it again */
};

struct index_file {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	struct run_index *index;       /* what is read, in the end */
	struct test_index by_name;     /* of its tests */
	struct stamped_run *known;     /* runs that the database had, by id */
	size_t known_count, unwritten; /* runs in the open transaction */
	bool outcomes;
	struct error **err;
};

void run_index_clear(struct run_index *index)
{
	for (size_t i = 0; i < index->run_count; i++)
		indexed_run_clear(&index->runs[i]);
	for (size_t i = 0; i < index->test_count; i++) {
		free(index->tests[i].section);
		free(index->tests[i].name);
	}
	free(index->runs);
	free(index->tests);
	*index = (struct run_index){ 0 };
}

static void index_file_close(struct index_file *f)
{
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(f->statements[i]);
	sqlite3_close(f->db);
	for (size_t i = 0; i < f->known_count; i++)
		indexed_run_clear(&f->known[i].run);
	free(f->known);
	test_index_clear(&f->by_name);
}

/* What a failure of SQLite means for the index. */
static enum index_result index_judge(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return INDEX_GOOD;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_ERROR: /* a table is missing, or not what it should be */
	case SQLITE_MISMATCH:
		return INDEX_DAMAGED;
	default:
		return INDEX_UNUSABLE;
	}
}

static enum index_result index_no_memory(const struct index_file *f)
{
	error_no_memory(f->err);
	return INDEX_ERROR;
}

static enum index_result index_execute(const struct index_file *f, const char *text)
{
	return index_judge(sqlite3_exec(f->db, text, NULL, NULL, NULL));
}

/* --- sums ----------------------------------------------------------------------------------- */

static uint64_t sum_text(uint64_t sum, const char *text)
{
	return sum_bytes(sum, text ? text : "\xff", text ? strlen(text) + 1 : 1);
}

static uint64_t sum_test(size_t at, const struct indexed_test *test)
{
	uint64_t number = at;

	return sum_text(sum_text(sum_bytes(SUM_FIRST, &number, sizeof(number)), test->section),
			test->name);
}

static uint64_t sum_run(const struct stamped_run *known, uint64_t tests, uint64_t outcome_sum)
{
	const struct indexed_run *run = &known->run;
	const char *const texts[] = { run->id, run->status, run->fstype, run->kernel_version,
				      run->kernel };
	const uint64_t numbers[] = { known->stamp, (uint64_t)run->began, (uint64_t)run->readable,
				     tests, outcome_sum };
	uint64_t sum = sum_bytes(SUM_FIRST, numbers, sizeof(numbers));

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		sum = sum_text(sum, texts[i]);
	return sum_bytes(sum, run->counts, sizeof(run->counts));
}

static uint64_t sum_outcomes(const struct indexed_run *run)
{
	return sum_bytes(SUM_FIRST, run->outcomes, run->outcome_count * sizeof(*run->outcomes));
}

/* --- reading -------------------------------------------------------------------------------- */

static char *column_copy(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? strdup(text) : NULL;
}

static struct test_key indexed_test_key_at(const void *list, size_t position)
{
	const struct indexed_test *test = (const struct indexed_test *)list + position;

	return (struct test_key){ test->section, test->name };
}

/* Adds a test, of which the index then owns the strings. */
static bool index_add_test(struct index_file *f, char *section, char *name)
{
	struct run_index *index = f->index;
	struct indexed_test *test = NULL;

	if (section && name && index->test_count < TESTS_MOST)
		test = array_grow(&index->tests, index->test_count, sizeof(*test));
	if (!test) {
		free(section);
		free(name);
		return false;
	}
	*test = (struct indexed_test){ section, name };
	index->test_count++;
	return test_index_add(&f->by_name, index->tests, indexed_test_key_at,
			      index->test_count - 1);
}

static enum index_result index_read_tests(struct index_file *f)
{
	sqlite3_stmt *rows = NULL;
	int code = sqlite3_prepare_v2(f->db, "SELECT id, section, name, sum FROM test ORDER BY id",
				      -1, &rows, NULL);
	enum index_result result = index_judge(code);

	while (result == INDEX_GOOD && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		size_t at = f->index->test_count;

		if (sqlite3_column_int64(rows, 0) != (sqlite3_int64)at ||
		    !index_add_test(f, column_copy(rows, 1), column_copy(rows, 2)) ||
		    (uint64_t)sqlite3_column_int64(rows, 3) != sum_test(at, &f->index->tests[at]))
			result = INDEX_DAMAGED;
	}
	sqlite3_finalize(rows);
	return result == INDEX_GOOD ? index_judge(code) : result;
}

static bool outcomes_valid(const struct run_index *index, const struct indexed_run *run)
{
	for (size_t i = 0; i < run->outcome_count; i++)
		if (run->outcomes[i].test >= index->test_count ||
		    run->outcomes[i].status >= TEST_STATUSES)
			return false;
	return true;
}

static bool read_outcomes_column(const struct index_file *f, sqlite3_stmt *row,
				 struct indexed_run *run, uint64_t expected)
{
	const void *data = sqlite3_column_blob(row, RUN_OUTCOMES);
	size_t size = (size_t)sqlite3_column_bytes(row, RUN_OUTCOMES);

	if (size % sizeof(*run->outcomes))
		return false;
	run->outcomes = malloc(size + 1);
	if (!run->outcomes)
		return false;
	if (size)
		memcpy(run->outcomes, data, size);
	run->outcome_count = size / sizeof(*run->outcomes);
	return sum_outcomes(run) == expected && outcomes_valid(f->index, run);
}

static bool read_run_row(const struct index_file *f, sqlite3_stmt *row, struct stamped_run *known)
{
	struct indexed_run *run = &known->run;
	uint64_t outcome_sum = (uint64_t)sqlite3_column_int64(row, RUN_OUTCOME_SUM);
	uint64_t tests = (uint64_t)sqlite3_column_int64(row, RUN_TEST_COUNT);
	sqlite3_int64 readable = sqlite3_column_int64(row, RUN_IS_READABLE);
	const void *counts = sqlite3_column_blob(row, RUN_COUNTS);

	*run = (struct indexed_run){
		.id = column_copy(row, RUN_ID),
		.status = column_copy(row, RUN_STATUS),
		.fstype = column_copy(row, RUN_FSTYPE),
		.kernel_version = column_copy(row, RUN_VERSION),
		.kernel = column_copy(row, RUN_KERNEL_ID),
		.began = sqlite3_column_int64(row, RUN_BEGAN),
	};
	known->stamp = (uint64_t)sqlite3_column_int64(row, RUN_STAMP);
	if (!run->id || sqlite3_column_bytes(row, RUN_COUNTS) != sizeof(run->counts) ||
	    readable < 0 || readable > RUN_NEWER || tests > f->index->test_count)
		return false;
	memcpy(run->counts, counts, sizeof(run->counts));
	run->readable = (enum run_readable)readable;
	if ((uint64_t)sqlite3_column_int64(row, RUN_SUM) != sum_run(known, tests, outcome_sum))
		return false;
	return !f->outcomes || read_outcomes_column(f, row, run, outcome_sum);
}

static enum index_result index_read_runs(struct index_file *f)
{
	sqlite3_stmt *rows = NULL;
	int code = sqlite3_prepare_v2(f->db, "SELECT * FROM run ORDER BY id", -1, &rows, NULL);
	enum index_result result = index_judge(code);

	while (result == INDEX_GOOD && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct stamped_run *known = NULL;

		if (sqlite3_column_count(rows) == RUN_COLUMNS)
			known = array_grow(&f->known, f->known_count, sizeof(*known));
		if (!known) {
			result = INDEX_DAMAGED;
			break;
		}
		f->known_count++;
		if (!read_run_row(f, rows, known))
			result = INDEX_DAMAGED;
	}
	sqlite3_finalize(rows);
	return result == INDEX_GOOD ? index_judge(code) : result;
}

/* --- writing -------------------------------------------------------------------------------- */

static sqlite3_stmt *statement_of(struct index_file *f, enum statement which)
{
	if (!f->statements[which])
		sqlite3_prepare_v2(f->db, statement_texts[which], -1, &f->statements[which], NULL);
	return f->statements[which];
}

static enum index_result index_step(struct index_file *f, sqlite3_stmt *statement)
{
	int code;

	if (!statement)
		return index_judge(sqlite3_errcode(f->db));
	code = sqlite3_step(statement);
	sqlite3_reset(statement);
	return index_judge(code);
}

static enum index_result index_begin(struct index_file *f)
{
	return f->unwritten++ ? INDEX_GOOD : index_execute(f, "BEGIN IMMEDIATE");
}

static enum index_result index_commit(struct index_file *f)
{
	if (!f->unwritten)
		return INDEX_GOOD;
	f->unwritten = 0;
	return index_execute(f, "COMMIT");
}

static void bind_text(sqlite3_stmt *s, int column, const char *text)
{
	sqlite3_bind_text(s, column, text, -1, SQLITE_STATIC);
}

static enum index_result index_put_test(struct index_file *f, size_t at)
{
	const struct indexed_test *test = &f->index->tests[at];
	sqlite3_stmt *s = statement_of(f, PUT_TEST);

	sqlite3_bind_int64(s, 1, (sqlite3_int64)at);
	bind_text(s, 2, test->section);
	bind_text(s, 3, test->name);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)sum_test(at, test));
	return index_step(f, s);
}

static enum index_result index_put_run(struct index_file *f, const struct stamped_run *known)
{
	const struct indexed_run *run = &known->run;
	sqlite3_stmt *s = statement_of(f, PUT_RUN);
	uint64_t outcome_sum = sum_outcomes(run), tests = 0;

	for (size_t i = 0; i < run->outcome_count; i++)
		if (run->outcomes[i].test >= tests)
			tests = run->outcomes[i].test + UINT64_C(1);
	/* Columns count from 0, parameters from 1. */
	bind_text(s, RUN_ID + 1, run->id);
	sqlite3_bind_int64(s, RUN_STAMP + 1, (sqlite3_int64)known->stamp);
	bind_text(s, RUN_STATUS + 1, run->status);
	bind_text(s, RUN_FSTYPE + 1, run->fstype);
	bind_text(s, RUN_VERSION + 1, run->kernel_version);
	bind_text(s, RUN_KERNEL_ID + 1, run->kernel);
	sqlite3_bind_int64(s, RUN_BEGAN + 1, run->began);
	sqlite3_bind_int64(s, RUN_IS_READABLE + 1, run->readable);
	sqlite3_bind_blob(s, RUN_COUNTS + 1, run->counts, sizeof(run->counts), SQLITE_STATIC);
	sqlite3_bind_int64(s, RUN_TEST_COUNT + 1, (sqlite3_int64)tests);
	sqlite3_bind_int64(s, RUN_OUTCOME_SUM + 1, (sqlite3_int64)outcome_sum);
	sqlite3_bind_int64(s, RUN_SUM + 1, (sqlite3_int64)sum_run(known, tests, outcome_sum));
	sqlite3_bind_blob64(s, RUN_OUTCOMES + 1, run->outcomes,
			    run->outcome_count * sizeof(*run->outcomes), SQLITE_STATIC);
	return index_step(f, s);
}

static enum index_result index_drop_run(struct index_file *f, const char *id)
{
	enum index_result result = index_begin(f);
	sqlite3_stmt *s = statement_of(f, DROP_RUN);

	bind_text(s, 1, id);
	return result == INDEX_GOOD ? index_step(f, s) : result;
}

/* --- bringing it up to date ----------------------------------------------------------------- */

static bool find_or_add_test(void *context, const char *section, const char *name, unsigned int *at)
{
	struct index_file *f = context;
	size_t found =
		test_index_find(&f->by_name, f->index->tests, indexed_test_key_at, section, name);

	if (found == TEST_INDEX_NONE) {
		found = f->index->test_count;
		if (!index_add_test(f, strdup(section), strdup(name)))
			return false;
	}
	*at = (unsigned int)found;
	return true;
}

/* Takes RUN, of which it leaves nothing. */
static enum index_result index_add_run(struct index_file *f, struct indexed_run *run)
{
	struct indexed_run *added =
		array_grow(&f->index->runs, f->index->run_count, sizeof(*added));

	if (!added)
		return index_no_memory(f);
	if (!f->outcomes) {
		free(STEAL_PTR(run->outcomes));
		run->outcome_count = 0;
	}
	*added = *run;
	*run = (struct indexed_run){ 0 };
	f->index->run_count++;
	return INDEX_GOOD;
}

/* Reads a run that is new or has changed, and writes it. */
static enum index_result index_renew_run(struct index_file *f, const char *id, uint64_t stamp)
{
	struct stamped_run known = { .stamp = stamp };
	size_t tests = f->index->test_count;
	enum index_result result = index_begin(f);
	int read = result == INDEX_GOOD
			   ? indexed_run_read(id, find_or_add_test, f, &known.run, f->err)
			   : 0;

	if (read < 0)
		result = INDEX_ERROR;
	for (; result == INDEX_GOOD && tests < f->index->test_count; tests++)
		result = index_put_test(f, tests);
	if (result == INDEX_GOOD)
		result = read == 0 ? index_put_run(f, &known) : index_drop_run(f, id);
	if (result == INDEX_GOOD && read == 0)
		result = index_add_run(f, &known.run);
	indexed_run_clear(&known.run);
	return result == INDEX_GOOD && f->unwritten >= COMMIT_RUNS ? index_commit(f) : result;
}

/* Both the ids and the known runs are sorted. */
static enum index_result index_bring_up_to_date(struct index_file *f, int runs, char *const *ids,
						size_t count)
{
	enum index_result result = INDEX_GOOD;
	size_t k = 0;

	for (size_t i = 0; i < count && result == INDEX_GOOD; i++) {
		struct stamped_run *known;
		enum stamp_result fresh;
		uint64_t stamp;

		for (; k < f->known_count && strcmp(f->known[k].run.id, ids[i]) < 0; k++)
			if (result == INDEX_GOOD)
				result = index_drop_run(f, f->known[k].run.id);
		if (result != INDEX_GOOD)
			break;
		known = k < f->known_count && strcmp(f->known[k].run.id, ids[i]) == 0
				? &f->known[k++]
				: NULL;
		fresh = run_stamp(runs, ids[i], &stamp);
		if (fresh == STAMP_FRESH)
			stamp = 0;
		if (fresh == STAMP_MISSING)
			result = known ? index_drop_run(f, ids[i]) : INDEX_GOOD;
		else if (known && stamp && known->stamp == stamp)
			result = index_add_run(f, &known->run);
		else
			result = index_renew_run(f, ids[i], stamp);
	}
	for (; k < f->known_count && result == INDEX_GOOD; k++)
		result = index_drop_run(f, f->known[k].run.id);
	return result == INDEX_GOOD ? index_commit(f) : result;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int take_version(void *version, int count, char **values, char **names)
{
	(void)names;
	*(int *)version = count == 1 && values[0] ? (int)strtol(values[0], NULL, 10) : -1;
	return 0;
}

/* Makes the tables if there is nothing. */
static enum index_result index_check_format(struct index_file *f)
{
	int version = -1;
	enum index_result result = index_judge(
		sqlite3_exec(f->db, "PRAGMA user_version", take_version, &version, NULL));

	if (result != INDEX_GOOD)
		return result;
	if (version == 0) {
		f->unwritten = 1;
		result = index_execute(f, "BEGIN IMMEDIATE");
		if (result == INDEX_GOOD)
			result = index_execute(f, schema);
		return result == INDEX_GOOD ? index_commit(f) : result;
	}
	if (version > INDEX_FORMAT)
		return INDEX_UNUSABLE;
	return version == INDEX_FORMAT ? INDEX_GOOD : INDEX_DAMAGED;
}

/* Fills the database in memory. */
static enum index_result index_copy_file(const struct index_file *f, const char *path)
{
	sqlite3_backup *backup;
	sqlite3 *file = NULL;
	int code = sqlite3_open_v2(path, &file, SQLITE_OPEN_READONLY, NULL);

	if (code == SQLITE_OK) {
		backup = sqlite3_backup_init(f->db, "main", file, "main");
		code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
		sqlite3_backup_finish(backup);
	}
	sqlite3_close(file);
	return index_judge(code);
}

enum index_result index_file_read(const char *path, const char *copied, int runs, char *const *ids,
				  size_t count, bool outcomes, struct run_index *out,
				  struct error **err)
{
	struct index_file f = { .index = out, .outcomes = outcomes, .err = err };
	enum index_result result = index_judge(sqlite3_open(path ? path : ":memory:", &f.db));

	if (result == INDEX_GOOD && copied)
		result = index_copy_file(&f, copied);
	if (result == INDEX_GOOD)
		result = index_check_format(&f);
	if (result == INDEX_GOOD)
		result = index_read_tests(&f);
	if (result == INDEX_GOOD)
		result = index_read_runs(&f);
	if (result == INDEX_GOOD)
		result = index_bring_up_to_date(&f, runs, ids, count);
	index_file_close(&f);
	if (result != INDEX_GOOD)
		run_index_clear(out);
	return result;
}

int run_index_add(struct run_index *index, const char *name, struct error **err)
{
	struct index_file f = { .index = index, .outcomes = true, .err = err };
	struct indexed_run run = { 0 };
	bool good = true;
	int result = -1;

	for (size_t i = 0; i < index->test_count; i++)
		good = good && test_index_add(&f.by_name, index->tests, indexed_test_key_at, i);
	if (good)
		result = indexed_run_read(name, find_or_add_test, &f, &run, err);
	if (result == 0 && index_add_run(&f, &run) != INDEX_GOOD)
		result = -1;
	if (result > 0)
		error_set(err, ERR_MISSING, "run %s does not exist; see: rootlet runs list", name);
	indexed_run_clear(&run);
	index_file_close(&f);
	return result == 0 ? 0 : error_no_memory(err);
}
