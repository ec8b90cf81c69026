#include "frontend/archive/sums.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/archive/cache.h"
#include "frontend/cli/directory.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "lib/error_wrap.h"
#include "lib/hex_read.h"
#include "lib/hash.h"

#define SUMS ".sums"
#define DRAFT ".new"
#define TIMES "# times "
#define TEXT_MAX ((size_t)64 << 20)
#define DEPTH_MAX 64

/* The current state of a file or directory. */
struct sums_survey {
	FILE *text;		 /* one line per entry; NULL: only collect times */
	struct sha256_ctx times; /* hash of times, sizes and inode numbers */
	char path[PATH_MAX];
	struct error **err;
};

static void name_sums(const char *name, char place[static NAME_MAX + 1])
{
	snprintf(place, NAME_MAX + 1, "%s%s" SUMS, name ? "." : "", name ? name : "");
}

void sums_touch(int dir, const char *name)
{
	char place[NAME_MAX + 1];

	name_sums(name, place);
	utimensat(dir, place, NULL, 0);
}

int64_t sums_used(int dir, const char *name)
{
	char place[NAME_MAX + 1];
	struct stat st;

	name_sums(name, place);
	return fstatat(dir, place, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mtime;
}

void sums_remove(int dir, const char *name)
{
	char place[NAME_MAX + 1];

	name_sums(name, place);
	unlinkat(dir, place, 0);
}

/* --- scanning --- */

/* Escapes names as sha256sum(1) does, so that each stays on one line. */
static void sums_print_name(FILE *f, const char *name)
{
	for (; *name; name++)
		if (*name == '\n')
			fputs("\\n", f);
		else if (*name == '\r')
			fputs("\\r", f);
		else if (*name == '\\')
			fputs("\\\\", f);
		else
			fputc(*name, f);
}

static int sums_open_file(const struct sums_survey *s, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		error_errno(s->err, ERR_TRUST, "cannot read %s", s->path);
	return fd;
}

static int print_file(struct sums_survey *s, int dir, const char *name, const struct stat *st)
{
	_cleanup_close_ int fd = sums_open_file(s, dir, name);
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];

	if (fd < 0 || file_sha256(fd, sum, s->err) < 0)
		return -1;
	if (st->st_mode & S_IXUSR) {
		fputs("# program ", s->text);
		sums_print_name(s->text, s->path);
		fputc('\n', s->text);
	}
	sha256_to_hex(sum, hex);
	fprintf(s->text, "%s%s  ", strpbrk(s->path, "\\\n\r") ? "\\" : "", hex);
	sums_print_name(s->text, s->path);
	fputc('\n', s->text);
	return 0;
}

static int print_entry(struct sums_survey *s, int dir, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t length;

	if (S_ISREG(st->st_mode))
		return print_file(s, dir, name, st);
	fprintf(s->text, "# %s ",
		S_ISDIR(st->st_mode)   ? "directory"
		: S_ISLNK(st->st_mode) ? "link"
				       : "special");
	sums_print_name(s->text, s->path);
	if (S_ISLNK(st->st_mode)) {
		length = readlinkat(dir, name, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		fputs(" -> ", s->text);
		sums_print_name(s->text, target);
	}
	fputc('\n', s->text);
	return 0;
}

static int survey_dir(struct sums_survey *s, int dir, int depth);

static int survey_entry(struct sums_survey *s, int dir, const char *name, int depth)
{
	_cleanup_close_ int below = -1;
	struct stat st;
	int64_t facts[4];

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(s->err, ERR_TRUST, "cannot stat %s", s->path);
	facts[0] = (int64_t)st.st_ino;
	facts[1] = st.st_ctim.tv_sec;
	facts[2] = st.st_ctim.tv_nsec;
	facts[3] = st.st_size;
	hash_add(&s->times, s->path, strlen(s->path) + 1);
	hash_add(&s->times, facts, sizeof(facts));
	if (s->text && print_entry(s, dir, name, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return 0;
	below = sums_open_file(s, dir, name);
	return below < 0 ? -1 : survey_dir(s, below, depth + 1);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int sums_by_name(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

static int survey_dir(struct sums_survey *s, int dir, int depth)
{
	size_t length = strlen(s->path);
	struct dirent **entries = NULL;
	int count = depth > DEPTH_MAX ? -1 : scandirat(dir, ".", &entries, not_dots, sums_by_name);
	int r = 0;

	if (count < 0)
		return error_set(s->err, ERR_TRUST, "cannot scan %s", s->path);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		size_t room = sizeof(s->path) - length;

		if (r == 0 && (depth > 0 || !text_has_prefix(name, SUMS))) {
			if (snprintf(s->path + length, room, "%s%s", length ? "/" : "", name) >=
			    (int)room)
				r = error_set(s->err, ERR_TRUST, "a path is too long");
			else
				r = survey_entry(s, dir, name, depth);
			s->path[length] = '\0';
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* The caller frees TEXT; NULL: only get the times. */
static int sums_survey(int dir, const char *name, char times[static 2 * SHA256_LEN + 1],
		       char **text, struct error **err)
{
	struct sums_survey s = { .err = err };
	uint8_t sum[SHA256_LEN];
	size_t size;
	int r = -1;

	if (text)
		s.text = open_memstream(text, &size);
	sha256_init(&s.times);
	if (text && !s.text) {
		error_no_memory(err);
	} else if (name) {
		snprintf(s.path, sizeof(s.path), "%s", name);
		r = survey_entry(&s, dir, name, 0);
	} else {
		r = survey_dir(&s, dir, 0);
	}
	if (s.text && fclose(s.text) != 0 && r == 0)
		r = error_no_memory(err);
	if (r == 0) {
		hash_end(&s.times, sum);
		sha256_to_hex(sum, times);
	}
	return r;
}

/* --- comparing --- */

static size_t sums_line_length(const char *text)
{
	return strcspn(text, "\n");
}

/* The file name in a line, even if the line is damaged. */
static const char *sums_name_of(const char *line, int *length)
{
	size_t skip = strcspn(line, " \n");
	const char *arrow;

	if (line[0] == '#' && line[skip] == ' ')
		skip += 1 + strcspn(line + skip + 1, " \n");
	line += skip + strspn(line + skip, " ");
	*length = (int)sums_line_length(line);
	arrow = memmem(line, (size_t)*length, " -> ", 4);
	if (arrow)
		*length = (int)(arrow - line);
	return line;
}

/* Reports the first line that differs between two different texts. */
static int tell_difference(const char *was, const char *is, struct error **err)
{
	const char *name, *other, *what = "is missing";
	_cleanup_free_ char *line = NULL;
	int length, other_length;

	while (*was && sums_line_length(was) == sums_line_length(is) &&
	       strncmp(was, is, sums_line_length(was)) == 0) {
		was += sums_line_length(was) + (was[sums_line_length(was)] == '\n');
		is += sums_line_length(is) + (is[sums_line_length(is)] == '\n');
	}
	line = strndup(was, sums_line_length(was) + 1);
	if (!line)
		return error_no_memory(err);
	name = sums_name_of(was, &length);
	other = sums_name_of(is, &other_length);
	if (length == other_length && strncmp(name, other, (size_t)length) == 0) {
		what = "has changed";
	} else if (!*was || strstr(is, line)) {
		name = other;
		length = other_length;
		what = "was added";
	}
	return error_set(err, ERR_TRUST, "%.*s %s", length, name, what);
}

/* Reads the saved checksums, which the caller frees. Sets BODY to the part after the line of times,
 * if there is one. */
static char *read_sums(int dir, const char *name, const char **body, struct error **err)
{
	char place[NAME_MAX + 1];
	size_t size;
	char *text;

	name_sums(name, place);
	text = tree_read(dir, place, TEXT_MAX, &size, NULL);
	if (!text) {
		error_set(err, ERR_TRUST, "its checksums are missing");
		return NULL;
	}
	*body = text;
	if (text_has_prefix(text, TIMES))
		*body += sums_line_length(text) + (text[sums_line_length(text)] == '\n');
	return text;
}

static int write_sums(int dir, const char *name, const char *times, const char *body,
		      struct error **err)
{
	char place[NAME_MAX + 1], draft[NAME_MAX + 1 + sizeof(DRAFT)];
	_cleanup_fclose_ FILE *f = NULL;
	int fd;

	name_sums(name, place);
	snprintf(draft, sizeof(draft), "%s" DRAFT, place);
	unlinkat(dir, draft, 0);
	fd = openat(dir, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "cannot create %s", draft);
	}
	fprintf(f, TIMES "%s\n%s", times, body);
	if (fflush(f) == 0 && dir_replace_file(dir, draft, fd, place) == 0)
		return 0;
	error_errno(err, ERR_SYSTEM, "cannot write %s", place);
	unlinkat(dir, draft, 0);
	return -1;
}

bool sums_exist(int dir, const char *name)
{
	char place[NAME_MAX + 1];

	name_sums(name, place);
	return faccessat(dir, place, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int sums_write(int dir, const char *name, struct error **err)
{
	char times[2 * SHA256_LEN + 1];
	_cleanup_free_ char *text = NULL;

	if (sums_survey(dir, name, times, &text, err) < 0)
		return error_wrap(err, "cannot compute checksums");
	return write_sums(dir, name, times, text, err);
}

/* Sets TIMES to the current times. */
static int sums_verify_one(int dir, const char *name, const char *body,
			   char times[static 2 * SHA256_LEN + 1], struct error **err)
{
	_cleanup_free_ char *text = NULL;

	if (sums_survey(dir, name, times, &text, err) < 0)
		return -1;
	return strcmp(body, text) == 0 ? 0 : tell_difference(body, text, err);
}

int sums_verify(int dir, const char *name, struct error **err)
{
	char times[2 * SHA256_LEN + 1];
	const char *body;
	_cleanup_free_ char *text = read_sums(dir, name, &body, err);

	return text ? sums_verify_one(dir, name, body, times, err) : -1;
}

int sums_check(int dir, const char *name, struct error **err)
{
	char times[2 * SHA256_LEN + 1];
	const char *body;
	_cleanup_free_ char *text = read_sums(dir, name, &body, err);

	if (!text || sums_survey(dir, name, times, NULL, err) < 0)
		return -1;
	if (body > text && strncmp(text + strlen(TIMES), times, 2 * SHA256_LEN) == 0)
		return 0;
	if (sums_verify_one(dir, name, body, times, err) < 0)
		return -1;
	return write_sums(dir, name, times, body, err);
}

bool sums_recorded(int dir, const char *name, char hex[static 2 * SHA256_LEN + 1])
{
	const char *line = NULL;
	_cleanup_free_ char *text = read_sums(dir, name, &line, NULL);
	uint8_t sum[SHA256_LEN];

	/* Comments, such as that the file is a program, come first. */
	while (text && *line == '#')
		line += sums_line_length(line) + (line[sums_line_length(line)] == '\n');
	if (!text || !sha256_from_hex(line, strcspn(line, " "), sum))
		return false;
	sha256_to_hex(sum, hex);
	return true;
}

int sums_verify_file(int dir, const char *path, struct error **err)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char hex[2 * SHA256_LEN + 1];
	_cleanup_free_ char *text = NULL, *line = NULL;
	uint8_t sum[SHA256_LEN];
	const char *body;

	if (fd < 0)
		return error_errno(err, ERR_TRUST, "cannot read %s", path);
	text = read_sums(dir, NULL, &body, err);
	if (!text || file_sha256(fd, sum, err) < 0)
		return -1;
	sha256_to_hex(sum, hex);
	if (asprintf(&line, "%s  %s\n", hex, path) < 0)
		return error_no_memory(err);
	return strstr(body, line) ? 0 : error_set(err, ERR_TRUST, "%s has changed", path);
}
