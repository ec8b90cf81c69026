#include "frontend/reports/run_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/reports/private_text.h"
#include "lib/read_all.h"

/* Trackers take attachments of some 10 to 25 MB, and text shrinks to a tenth. */
#define FILE_MOST (1u << 20)
#define ALL_MOST (64u << 20)
#define FILES_MOST 20000
#define DEPTH_MOST 8
#define BINARY_LOOKED_AT 4096

struct packed_file {
	char *path; /* in the run's directory */
	bool first; /* of a test that failed */
};

struct packing {
	const struct report_run *run;
	struct run_archive *archive;
	struct archive *writer;
	struct private_text private;
	char *top; /* the directory in the archive */
	struct packed_file *files;
	size_t file_count, room;
	FILE *out;
};

static void packing_clear(struct packing *p)
{
	for (size_t i = 0; i < p->file_count; i++)
		free(p->files[i].path);
	free(p->files);
	free(p->top);
	private_text_clear(&p->private);
	if (p->writer)
		archive_write_free(p->writer);
	fclosep(&p->out);
}

static void pack_leave_out(const struct packing *p, const char *path, const char *why)
{
	json_array_append_new(p->archive->left_out,
			      json_pack("{s:o, s:s}", "file", json_text(path), "why", why));
}

/* --- what there is -------------------------------------------------------------------------- */

static bool pack_is_bad(const struct packing *p, const char *path)
{
	const char *last = strrchr(path, '/'), *name = last;
	size_t length;

	if (!last)
		return false;
	while (name > path && name[-1] != '/')
		name--;
	length = (size_t)(last - name) + strcspn(last, ".");
	for (size_t i = 0; i < p->run->results.count; i++) {
		const struct test_result *result = &p->run->results.list[i];

		if (report_is_bad(result->status) && strlen(result->name) == length &&
		    strncmp(result->name, name, length) == 0)
			return true;
	}
	return false;
}

static int pack_add_path(struct packing *p, const char *path, struct error **err)
{
	struct packed_file *file;

	if (p->file_count == FILES_MOST) {
		pack_leave_out(p, path, "too many files");
		return 0;
	}
	file = array_grow(&p->files, p->file_count, sizeof(*file));
	if (!file || !(file->path = strdup(path)))
		return error_no_memory(err);
	file->first = pack_is_bad(p, path);
	p->file_count++;
	return 0;
}

static int pack_walk(struct packing *p, int directory, const char *path, int depth,
		     struct error **err);

static int pack_walk_entry(struct packing *p, int directory, const char *above, const char *name,
			   int depth, struct error **err)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/%s", above, name) < 0)
		return error_no_memory(err);
	if (!text_is_clean(name) || fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		pack_leave_out(p, path, "its name cannot be used");
	else if (S_ISREG(st.st_mode))
		return pack_add_path(p, path, err);
	else if (S_ISDIR(st.st_mode) && depth < DEPTH_MOST)
		return pack_walk(
			p, openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
			path, depth + 1, err);
	else
		pack_leave_out(p, path,
			       S_ISDIR(st.st_mode)   ? "too deep"
			       : S_ISLNK(st.st_mode) ? "a symbolic link"
						     : "no regular file");
	return 0;
}

/* Takes ownership of DIRECTORY. */
static int pack_walk(struct packing *p, int directory, const char *path, int depth,
		     struct error **err)
{
	DIR *entries = directory >= 0 ? fdopendir(directory) : NULL;
	const struct dirent *entry;
	int result = 0;

	if (!entries) {
		closep(&directory);
		pack_leave_out(p, path, "cannot be opened");
		return 0;
	}
	while (result == 0 && (entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = pack_walk_entry(p, directory, path, entry->d_name, depth, err);
	closedir(entries);
	return result;
}

/* rootlet's own files, for one guest or several: check.out, check-1.out … */
static bool pack_is_own(const char *name)
{
	return strcmp(name, RUN_PLAN) == 0 ||
	       ((text_has_prefix(name, "check") || text_has_prefix(name, "console")) &&
		(strstr(name, ".out") || strstr(name, ".log")));
}

static int pack_list(struct packing *p, struct error **err)
{
	int fd = openat(p->run->dir.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), results;
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int result = 0;

	if (!entries) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "cannot read %s", p->run->dir.path);
	}
	while (result == 0 && (entry = readdir(entries)))
		if (pack_is_own(entry->d_name))
			result = pack_add_path(p, entry->d_name, err);
	closedir(entries);
	results = openat(p->run->dir.fd, RUN_RESULTS,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (result == 0 && results >= 0)
		return pack_walk(p, results, RUN_RESULTS, 0, err);
	closep(&results);
	return result;
}

/* rootlet's own files, then those of failed tests. */
static int pack_compare(const void *a, const void *b)
{
	const struct packed_file *one = a, *other = b;
	bool own = !strchr(one->path, '/'), other_own = !strchr(other->path, '/');

	if (own != other_own)
		return own ? -1 : 1;
	if (one->first != other->first)
		return one->first ? -1 : 1;
	return strcmp(one->path, other->path);
}

/* --- writing -------------------------------------------------------------------------------- */

static la_ssize_t pack_collect(struct archive *writer, void *context, const void *data, size_t size)
{
	const struct packing *p = context;

	(void)writer;
	return fwrite(data, 1, size, p->out) == size ? (la_ssize_t)size : -1;
}

/* Adds a file with the text OWNED, which it frees. NULL: out of memory. */
static int pack_add(struct packing *p, const char *path, char *owned, struct error **err)
{
	_cleanup_free_ char *text = owned, *name = NULL, *full = NULL;
	struct archive_entry *entry = archive_entry_new();
	size_t size = text ? strlen(text) : 0;
	bool good = false;

	name = private_text_remove(&p->private, path);
	if (entry && text && name && asprintf(&full, "%s/%s", p->top, name) >= 0) {
		archive_entry_set_pathname(entry, full);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, (la_int64_t)size);
		archive_entry_set_mtime(entry, (time_t)p->run->began, 0);
		good = archive_write_header(p->writer, entry) == ARCHIVE_OK &&
		       archive_write_data(p->writer, text, size) == (la_ssize_t)size;
	}
	archive_entry_free(entry);
	p->archive->files++;
	return good ? 0 : error_no_memory(err);
}

/* A console ends its lines like a terminal, with a carriage return. */
static char *pack_clean(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (from[0] != '\r' || from[1] != '\n')
			*to++ = *from;
	*to = '\0';
	return text_clean_lines(text);
}

/* Text ends at its first NUL byte: these become blanks. */
static void pack_fill(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		text[i] = text[i] ? text[i] : ' ';
}

/* Reads FD's beginning and, if it is long, its end. NULL: it is binary, or cannot be read. */
static char *pack_read(int fd, off_t size)
{
	_cleanup_free_ char *head = NULL, *tail = NULL;
	size_t half = FILE_MOST / 2, got, rest = 0;
	char *whole;

	if (size <= FILE_MOST)
		half = FILE_MOST;
	head = read_all(fd, half, &got);
	if (!head || memchr(head, '\0', got < BINARY_LOOKED_AT ? got : BINARY_LOOKED_AT))
		return NULL;
	if (size > FILE_MOST) {
		if (lseek(fd, size - (off_t)half, SEEK_SET) < 0 ||
		    !(tail = read_all(fd, half, &rest)))
			return NULL;
	}
	pack_fill(head, got);
	if (tail)
		pack_fill(tail, rest);
	if (asprintf(&whole, "%s%s%s", head, tail ? "\n[… the middle is left out …]\n" : "",
		     tail ? tail : "") < 0)
		return NULL;
	return pack_clean(whole);
}

static int pack_file(struct packing *p, const char *path, struct error **err)
{
	_cleanup_close_ int fd =
		tree_open(p->run->dir.fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		pack_leave_out(p, path, "no regular file");
		return 0;
	}
	text = pack_read(fd, st.st_size);
	if (!text || strlen(text) > p->room) {
		pack_leave_out(p, path, text ? "the archive would be too large" : "a binary file");
		return 0;
	}
	p->room -= strlen(text);
	if (st.st_size > FILE_MOST)
		pack_leave_out(p, path, "only its middle: it is large");
	return pack_add(p, path, private_text_remove(&p->private, text), err);
}

/* What the record says about this machine only. */
static int pack_record(struct packing *p, struct error **err)
{
	static const char *const dropped[] = { "rootfs", "fstests", "results", "cluster", "host" };
	json_t *record = json_deep_copy(p->run->record), *shard;
	char *text = NULL;
	size_t at;

	for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
		json_object_del(record, dropped[i]);
	json_array_foreach(json_object_get(record, "shards"), at, shard)
		json_object_del(shard, "results");
	if (json_is_string(json_object_get(record, "kernel")))
		json_object_del(record, "kernel");
	if (private_text_remove_json(&p->private, record) == 0)
		text = json_dumps(record, JSON_INDENT(2));
	json_decref(record);
	return pack_add(p, "run.json", text, err);
}

/* Adds the objects of a list as lines. */
static int pack_lines(struct packing *p, const char *path, const json_t *list, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	size_t size, at;
	FILE *out = open_memstream(&text, &size);
	const json_t *one;

	if (!out)
		return error_no_memory(err);
	json_array_foreach(list, at, one)
	{
		json_t *copy = json_deep_copy(one);

		private_text_remove_json(&p->private, copy);
		json_dumpf(copy, out, JSON_COMPACT);
		fputc('\n', out);
		json_decref(copy);
	}
	if (fclose(out) != 0)
		return error_no_memory(err);
	return pack_add(p, path, STEAL_PTR(text), err);
}

static int pack_results(struct packing *p, struct error **err)
{
	json_t *list = json_array();
	int result;

	for (size_t i = 0; i < p->run->results.count; i++)
		json_array_append_new(list, result_to_json(&p->run->results.list[i]));
	result = pack_lines(p, RUN_TESTS, list, err);
	json_decref(list);
	return result;
}

static int pack_readme(struct packing *p, struct error **err)
{
	char *text = NULL;
	size_t size, at;
	FILE *out = open_memstream(&text, &size);
	const json_t *one;

	if (!out)
		return error_no_memory(err);
	fprintf(out, "Results of fstests, packed by rootlet " ROOTLET_VERSION
		     " (rootlet runs archive).\n\n"
		     "run.json      what ran, and how it ended\n"
		     "tests.jsonl   the result of each test, one in a line\n"
		     "kernel.jsonl  the kernel's messages\n"
		     "check.out     the output of fstests' check\n"
		     "console.log   the kernel's console\n"
		     "results/      what fstests wrote\n\n"
		     "Host names are HOST, and paths of the host are /…/NAME. Control characters "
		     "are ?.\n");
	if (json_array_size(p->archive->left_out))
		fputs("\nLeft out:\n", out);
	json_array_foreach(p->archive->left_out, at, one)
		fprintf(out, "  %s: %s\n", json_string_value(json_object_get(one, "file")),
			json_string_value(json_object_get(one, "why")));
	if (fclose(out) != 0) {
		free(text);
		return error_no_memory(err);
	}
	return pack_add(p, "README", text, err);
}

static int pack_begin(struct packing *p, struct error **err)
{
	p->top = private_text_remove(&p->private, p->run->dir.id);
	p->out = open_memstream(&p->archive->data, &p->archive->size);
	p->writer = archive_write_new();
	/* Without its time, gzip gives the same bytes for the same run. */
	if (!p->top || !p->out || !p->writer || !p->archive->left_out ||
	    archive_write_set_format_pax_restricted(p->writer) != ARCHIVE_OK ||
	    archive_write_add_filter_gzip(p->writer) != ARCHIVE_OK ||
	    archive_write_set_options(p->writer, "gzip:!timestamp") != ARCHIVE_OK ||
	    archive_write_open(p->writer, p, NULL, pack_collect, NULL) != ARCHIVE_OK)
		return error_no_memory(err);
	return 0;
}

static int pack_end(struct packing *p, struct error **err)
{
	int closed = archive_write_close(p->writer);

	return closed == ARCHIVE_OK && fclose(STEAL_PTR(p->out)) == 0 ? 0 : error_no_memory(err);
}

static int pack_all(struct packing *p, struct error **err)
{
	if (private_text_prepare(&p->private, p->run, err) < 0 || pack_begin(p, err) < 0 ||
	    pack_list(p, err) < 0 || pack_record(p, err) < 0 || pack_results(p, err) < 0 ||
	    pack_lines(p, RUN_KERNEL, p->run->kernel, err) < 0)
		return -1;
	if (p->file_count)
		qsort(p->files, p->file_count, sizeof(*p->files), pack_compare);
	for (size_t i = 0; i < p->file_count; i++)
		if (pack_file(p, p->files[i].path, err) < 0)
			return -1;
	return pack_readme(p, err) < 0 ? -1 : pack_end(p, err);
}

int run_archive_make(const struct report_run *run, struct run_archive *a, struct error **err)
{
	_cleanup_(packing_clear) struct packing p = { .run = run, .archive = a, .room = ALL_MOST };

	*a = (struct run_archive){ .left_out = json_array() };
	if (strcmp(run->state, "running") == 0)
		return error_set(err, ERR_BUSY, "run %s is still in progress", run->dir.id);
	return pack_all(&p, err);
}

void run_archive_clear(struct run_archive *a)
{
	free(a->data);
	json_decref(a->left_out);
	*a = (struct run_archive){ 0 };
}
