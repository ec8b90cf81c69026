#include "frontend/fstests/needs.h"

#include <ctype.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/elf.h"

#define PROGRAM_MOST (256u << 20) /* bytes; fstests' programs have less than 1 MiB */
#define WANTS_MOST 16384	  /* different needs of one tree; fstests has about sixty */
#define FIRST_LINE 256		  /* bytes of a script's first line, as many as the kernel reads */

struct needed_program {
	char *name;	 /* relative to the tree */
	char *loader;	 /* or the script's interpreter */
	char *command;	 /* of a script started by env; otherwise NULL */
	uint32_t *wants; /* indexes into needs.wants */
	size_t want_count;
	bool script;
};

struct needs {
	const char *tree;
	struct needed_program *programs;
	size_t program_count;
	char **wants; /* "LIBRARY VERSION PATH" */
	size_t want_count;
	const char *path; /* of the program being read */
	bool failed;	  /* out of memory */
};

static void needs_clear(struct needs *n)
{
	for (size_t i = 0; i < n->program_count; i++) {
		free(n->programs[i].name);
		free(n->programs[i].loader);
		free(n->programs[i].command);
		free(n->programs[i].wants);
	}
	free(n->programs);
	for (size_t i = 0; i < n->want_count; i++)
		free(n->wants[i]);
	free(n->wants);
}

/* Returns the index of WANT. Takes over or frees WANT. */
static uint32_t number_want(struct needs *n, char *want)
{
	char **larger;

	for (size_t i = 0; i < n->want_count; i++)
		if (strcmp(n->wants[i], want) == 0) {
			free(want);
			return (uint32_t)i;
		}
	larger = n->want_count < WANTS_MOST
			 ? reallocarray(n->wants, n->want_count + 1, sizeof(*larger))
			 : NULL;
	if (!larger) {
		free(want);
		n->failed = true;
		return 0;
	}
	n->wants = larger;
	n->wants[n->want_count] = want;
	return (uint32_t)n->want_count++;
}

static void add_want(const char *library, const char *version, void *context)
{
	struct needs *n = context;
	struct needed_program *p = &n->programs[n->program_count];
	uint32_t *larger = reallocarray(p->wants, p->want_count + 1, sizeof(*larger));
	char *want;

	if (larger)
		p->wants = larger;
	if (!larger || asprintf(&want, "%s %s %s", library, version ? version : "",
				n->path ? n->path : "") < 0) {
		n->failed = true;
		return;
	}
	p->wants[p->want_count++] = number_want(n, want);
}

static struct needed_program *next_program(struct needs *n)
{
	struct needed_program *larger =
		reallocarray(n->programs, n->program_count + 1, sizeof(*larger));

	if (!larger) {
		n->failed = true;
		return NULL;
	}
	n->programs = larger;
	n->programs[n->program_count] = (struct needed_program){ 0 };
	return &n->programs[n->program_count];
}

/* Adds the program at the end of the list. Until then, the next program reuses the entry. */
static void keep_program(struct needs *n, const char *name, const char *loader)
{
	struct needed_program *p = &n->programs[n->program_count];

	p->name = strdup(name);
	p->loader = strdup(loader);
	if (!p->name || !p->loader)
		n->failed = true;
	n->program_count++;
}

static void read_program(struct needs *n, const char *path, const char *name)
{
	_cleanup_error_ struct error *ignored = NULL;
	size_t size = 0;
	_cleanup_free_ char *data = file_read(path, PROGRAM_MOST, &size, &ignored);
	struct elf_program elf = { 0 };

	if (data)
		elf = elf_read(data, size, NULL, NULL);
	if (!elf.loader || !next_program(n))
		return;
	n->path = elf.path;
	add_want(elf.loader, NULL, n);
	elf_read(data, size, add_want, n);
	keep_program(n, name, elf.loader);
}

/* LINE is the text after "#!". */
static void read_script(struct needs *n, char *line, const char *name)
{
	char *rest = NULL;
	const char *interpreter, *last, *command;
	struct needed_program *p;

	line[strcspn(line, "\n")] = '\0';
	interpreter = strtok_r(line, " \t", &rest);
	command = strtok_r(NULL, " \t", &rest);
	p = interpreter && *interpreter == '/' ? next_program(n) : NULL;
	if (!p)
		return;
	last = strrchr(interpreter, '/') + 1;
	p->script = true;
	if (strcmp(last, "env") == 0 && command && *command != '-' &&
	    !(p->command = strdup(command)))
		n->failed = true;
	keep_program(n, name, interpreter);
}

/* Whether tests or check call the program. Other scripts of fstests are for its developers. */
static bool is_for_tests(const char *name)
{
	static const char *const places[] = { "src/", "ltp/", "common/", "tests/", "lib/" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (text_has_prefix(name, places[i]))
			return true;
	return strcmp(name, "check") == 0;
}

/* Names must fit into a file of lines and words. */
static bool is_plain(const char *name)
{
	for (; *name; name++)
		if (iscntrl((unsigned char)*name))
			return false;
	return true;
}

static void needs_read_file(struct needs *n, const char *path, const char *name)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char start[FIRST_LINE + 1];
	ssize_t size = fd >= 0 ? RETRY_ON_EINTR(pread(fd, start, FIRST_LINE, 0)) : -1;

	if (size < 4 || !is_plain(name))
		return;
	start[size] = '\0';
	if (memcmp(start, "\177ELF", 4) == 0)
		read_program(n, path, name);
	else if (memcmp(start, "#!", 2) == 0 && is_for_tests(name))
		read_script(n, start + 2, name);
}

static int needs_by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_skipped(const FTSENT *entry)
{
	return entry->fts_level == 1 &&
	       (strcmp(entry->fts_name, ".git") == 0 || strcmp(entry->fts_name, ".rootlet") == 0);
}

static int needs_walk(struct needs *n, struct error **err)
{
	char *roots[] = { (char *)(uintptr_t)n->tree, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, needs_by_name);
	size_t skip = strlen(n->tree) + 1;

	if (!fts)
		return error_errno(err, ERR_SYSTEM, "cannot read the directory tree %s", n->tree);
	for (FTSENT *entry; !n->failed && (entry = fts_read(fts));) {
		if (entry->fts_info == FTS_D && is_skipped(entry))
			fts_set(fts, entry, FTS_SKIP);
		else if (entry->fts_info == FTS_F && entry->fts_statp->st_mode & S_IXUSR)
			needs_read_file(n, entry->fts_path, entry->fts_path + skip);
	}
	fts_close(fts);
	return n->failed ? error_set(err, ERR_SPACE,
				     "cannot list what the programs in %s need: out of memory",
				     n->tree)
			 : 0;
}

/* Counts P's needs that no listed program has. */
static size_t count_new(const struct needed_program *p, const bool *met)
{
	size_t count = 0;

	for (size_t i = 0; i < p->want_count; i++)
		count += !met[p->wants[i]];
	return count;
}

/* Writes a nearly minimal set of programs that together have all the needs. */
static int write_programs(const struct needs *n, FILE *out, struct error **err)
{
	_cleanup_free_ bool *met = calloc(n->want_count + 1, sizeof(*met));

	if (!met)
		return error_no_memory(err);
	for (;;) {
		const struct needed_program *best = NULL;
		size_t most = 0;

		for (size_t i = 0; i < n->program_count; i++) {
			size_t count = count_new(&n->programs[i], met);

			if (count > most) {
				best = &n->programs[i];
				most = count;
			}
		}
		if (!best)
			return 0;
		for (size_t i = 0; i < best->want_count; i++)
			met[best->wants[i]] = true;
		fprintf(out, "load\t%s\t%s\n", best->loader, best->name);
	}
}

static bool same_start(const struct needed_program *a, const struct needed_program *b)
{
	return b->script && strcmp(a->loader, b->loader) == 0 &&
	       strcmp(a->command ? a->command : "", b->command ? b->command : "") == 0;
}

static void write_scripts(const struct needs *n, FILE *out)
{
	for (size_t i = 0; i < n->program_count; i++) {
		const struct needed_program *p = &n->programs[i];
		bool told = !p->script;

		for (size_t k = 0; k < i && !told; k++)
			told = same_start(p, &n->programs[k]);
		if (!told)
			fprintf(out, "script\t%s\t%s\t%s\n", p->loader, p->name,
				p->command ? p->command : "");
	}
}

static int needs_write_text(const struct needs *n, int dir, struct error **err)
{
	int fd = openat(dir, NEEDS_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			0644);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	int result;
	bool failed;

	if (!out) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "cannot write %s", NEEDS_FILE);
	}
	result = write_programs(n, out, err);
	write_scripts(n, out);
	failed = ferror(out);
	if ((fclose(out) != 0 || failed) && result == 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", NEEDS_FILE);
	return result;
}

int needs_write(const char *tree, int dir, struct error **err)
{
	_cleanup_(needs_clear) struct needs needs = { .tree = tree };

	if (needs_walk(&needs, err) < 0)
		return -1;
	return needs_write_text(&needs, dir, err);
}
