#include "frontend/fstests/run_page.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/run_directory.h"

#define PAGE_BYTES 1400 /* with what JSON and the protocol add, 2 kB */
#define LINE_BYTES 512	/* of a list */
#define ENTRIES_MOST 100000

struct page {
	char text[PAGE_BYTES + 1];
	size_t length;
	uint64_t offset, size, next;
};

static json_t *page_to_json(struct page *p)
{
	return json_pack("{s:o, s:I, s:I, s:o}", "text", json_text(text_clean_lines(p->text)),
			 "offset", (json_int_t)p->offset, "size", (json_int_t)p->size, "next",
			 p->next < p->size ? json_integer((json_int_t)p->next) : json_null());
}

/* --- lists ---------------------------------------------------------------------------------- */

/* Adds a line. False if it does not fit. */
static bool page_add(struct page *p, const char *line)
{
	size_t length = strlen(line);

	if (p->length + length + 1 > PAGE_BYTES)
		return false;
	memcpy(p->text + p->length, line, length);
	p->length += length;
	p->text[p->length++] = '\n';
	p->next++;
	return true;
}

static const char *field_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "-";
}

static json_int_t counted(const json_t *record, const char *status)
{
	return json_integer_value(json_object_get(json_object_get(record, "counts"), status));
}

static void describe_run(const char *id, char line[static LINE_BYTES])
{
	_cleanup_(run_dir_close) struct run_dir run = RUN_DIR_NONE;
	_cleanup_error_ struct error *ignored = NULL;
	json_t *record = NULL;

	if (run_dir_open(id, &run, &ignored) == 0)
		record = run_dir_read(&run, &ignored);
	snprintf(line, LINE_BYTES,
		 "%s %s %s %s: %" JSON_INTEGER_FORMAT " passed, %" JSON_INTEGER_FORMAT " failed",
		 id, record ? field_of(record, "status") : "unreadable", field_of(record, "fstype"),
		 field_of(record, "kernel_version"), counted(record, "pass"),
		 counted(record, "fail") + counted(record, "crash") + counted(record, "timeout"));
	json_decref(record);
}

static int page_of_runs(struct page *p, struct error **err)
{
	char line[LINE_BYTES], **ids;
	size_t count;

	if (run_dir_list(&ids, &count, err) < 0)
		return -1;
	p->size = count;
	for (size_t i = p->offset; i < count; i++) {
		describe_run(ids[count - 1 - i], line);
		if (!page_add(p, line))
			break;
	}
	words_free(ids);
	return 0;
}

static int compare_page_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_entries(int fd, char ***names, size_t *count, struct error **err)
{
	DIR *directory = fdopendir(fd);
	const struct dirent *entry;
	int result = 0;

	if (!directory) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "cannot list the directory");
	}
	while (result == 0 && *count < ENTRIES_MOST && (entry = readdir(directory)))
		if (entry->d_name[0] != '.') {
			char **added = array_grow(names, *count + 1, sizeof(*added));

			if (added)
				(*names)[*count] = strdup(entry->d_name);
			result = added && (*names)[*count] ? 0 : error_no_memory(err);
			*count += result == 0;
		}
	closedir(directory);
	if (*count)
		qsort(*names, *count, sizeof(**names), compare_page_names);
	return result;
}

static void describe_entry(int directory, const char *name, char line[static LINE_BYTES])
{
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		snprintf(line, LINE_BYTES, "%s/", name);
	else
		snprintf(line, LINE_BYTES, "%s %" PRIu64, name, (uint64_t)st.st_size);
}

static int page_of_directory(struct page *p, int directory, struct error **err)
{
	_cleanup_(words_freep) char **names = NULL;
	char line[LINE_BYTES];
	size_t count = 0;

	if (list_entries(fcntl(directory, F_DUPFD_CLOEXEC, 0), &names, &count, err) < 0)
		return -1;
	p->size = count;
	for (size_t i = p->offset; i < count; i++) {
		describe_entry(directory, names[i], line);
		if (!page_add(p, line))
			break;
	}
	return 0;
}

/* --- files ---------------------------------------------------------------------------------- */

/* Ends a page that is not the last one after a line, or at least not within a character. */
static size_t page_end(const char *text, size_t length)
{
	const char *newline = memrchr(text, '\n', length);
	size_t end = length;

	if (newline)
		return (size_t)(newline - text) + 1;
	while (end > length - 3 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
		end--;
	return end > 1 && (unsigned char)text[end - 1] >= 0xc0 ? end - 1 : length;
}

static int page_of_file(struct page *p, int fd, struct error **err)
{
	ssize_t length = pread(fd, p->text, PAGE_BYTES, (off_t)p->offset);

	if (length < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read the file");
	p->length = (size_t)length;
	if (p->offset + p->length < p->size && p->length)
		p->length = page_end(p->text, p->length);
	for (size_t i = 0; i < p->length; i++)
		if (!p->text[i])
			p->text[i] = '?';
	p->text[p->length] = '\0';
	p->next = p->offset + p->length;
	return 0;
}

static int page_of_path(struct page *p, const char *run, const char *path, struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir dir = RUN_DIR_NONE;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (strchr(run, '/'))
		return error_set(err, ERR_MISSING, "\"%s\" is not a run id", run);
	if (run_dir_open(run, &dir, err) < 0)
		return -1;
	fd = tree_open(dir.fd, *path ? path : ".", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, ERR_MISSING, "run %s has no %s", dir.id, path);
	if (S_ISDIR(st.st_mode))
		return page_of_directory(p, fd, err);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INPUT, "%s of run %s is not a regular file", path,
				 dir.id);
	p->size = (uint64_t)st.st_size;
	return page_of_file(p, fd, err);
}

json_t *run_page(const char *run, const char *path, uint64_t offset, struct error **err)
{
	struct page p = { .offset = offset, .next = offset };

	if ((*run ? page_of_path(&p, run, path, err) : page_of_runs(&p, err)) < 0)
		return NULL;
	return page_to_json(&p);
}
