#include "frontend/archive/program_index.h"

#include <string.h>
#include <sys/stat.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/kept_file.h"
#include "lib/hash.h"

#define PROGRAM_LENGTH 128

bool program_name_is_valid(const char *name)
{
	size_t length = 0;

	for (; name[length]; length++)
		if (name[length] <= ' ' || name[length] > '~' || name[length] == '/')
			return false;
	return length > 0 && length <= PROGRAM_LENGTH;
}

int program_index_key(const struct origin *o, uint8_t key[static SHA256_LEN], struct error **err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return error_no_memory(err);
	fprintf(out, "programs\n%s\n%s\n%s\n%s\n", o->mirror, o->keyring, o->suite, o->arch);
	for (char **component = o->components; *component; component++)
		fprintf(out, "%s\n", *component);
	if (fclose(out) != 0)
		return error_no_memory(err);
	hash_of(text, size, key);
	return 0;
}

int program_index_read(const uint8_t key[static SHA256_LEN], struct program_index *index,
		       struct error **err)
{
	_cleanup_free_ char *directory = cache_path(KEPT_FILES_DIRECTORY, err);
	_cleanup_free_ char *path = directory ? cache_file(directory, key, err) : NULL;
	struct stat st;

	if (!path)
		return -1;
	index->text = kept_file_read(path, PROGRAM_INDEX_FORMAT, NULL, &index->size);
	if (!index->text)
		return 0;
	index->checked = stat(path, &st) == 0 ? st.st_mtime : 0;
	return 1;
}

/* Compares PROGRAM with that of the line at LINE. */
static int compare_program(const char *program, const char *line, const char *end)
{
	for (;; program++, line++) {
		char theirs = line < end && *line != '\t' && *line != '\n' ? *line : '\0';

		if (*program != theirs || !theirs)
			return (unsigned char)*program - (unsigned char)theirs;
	}
}

/* The first line whose program is not less than PROGRAM. */
static const char *find_program_line(const struct program_index *index, const char *program)
{
	const char *end = index->text + index->size, *low = index->text, *high = end;

	while (low < high) {
		const char *middle = low + (high - low) / 2, *line = middle, *next;

		while (line > low && line[-1] != '\n')
			line--;
		if (compare_program(program, line, end) <= 0) {
			high = line;
			continue;
		}
		next = memchr(middle, '\n', (size_t)(end - middle));
		low = next ? next + 1 : end;
	}
	return low;
}

size_t program_index_find(const struct program_index *index, const char *program,
			  char packages[static PROGRAM_PACKAGES_MAX][PACKAGE_NAME_MAX + 1])
{
	const char *end = index->text + index->size;
	size_t count = 0, skipped = strlen(program) + 1;

	for (const char *line = find_program_line(index, program);
	     line < end && count < PROGRAM_PACKAGES_MAX &&
	     compare_program(program, line, end) == 0;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);

		if (length > skipped && length - skipped <= PACKAGE_NAME_MAX) {
			memcpy(packages[count], line + skipped, length - skipped);
			packages[count][length - skipped] = '\0';
			count += valid_package_name(packages[count]);
		}
		line += length + (newline != NULL);
	}
	return count;
}
