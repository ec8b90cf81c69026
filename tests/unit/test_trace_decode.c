/* frontend/fstests/trace_decode.c: source lines from a build directory with a program as its
 * vmlinux and an object file as a module. The host's compiler makes both. */
#include "frontend/fstests/trace_decode.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/elf_functions.h"
#include "lib/cleanup.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define SIZE_MOST 4096

static const char source[] = "int counter;\n"
			     "void inner(void)\n" /* 2 */
			     "{\n"
			     "	counter++;\n"
			     "}\n"
			     "void outer(void)\n" /* 6 */
			     "{\n"
			     "	inner();\n"
			     "	counter++;\n"
			     "}\n"
			     "__attribute__((section(\".init.text\"))) void early(void)\n" /* 11 */
			     "{\n"
			     "	outer();\n"
			     "}\n"
			     "int main(void)\n" /* 15 */
			     "{\n"
			     "	early();\n"
			     "	return 0;\n"
			     "}\n";

static bool compile(const char *dir)
{
	_cleanup_free_ char *command = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int out = -1;

	if (asprintf(&path, "%s/toy.c", dir) < 0 ||
	    asprintf(&command,
		     "cd %s && cc -g -O0 -o vmlinux %s/toy.c && mkdir fs && "
		     "cc -g -O0 -c -o fs/toy-fs.ko %s/toy.c && echo fs/toy-fs.o >modules.order",
		     dir, dir, dir) < 0)
		return false;
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || write_all(out, source, strlen(source)) < 0)
		return false;
	return system(command) == 0;
}

/* The size of a function, by trying all. */
static unsigned int size_of(const char *text, size_t size, const char *name)
{
	for (unsigned int guess = 1; guess < SIZE_MOST; guess++) {
		struct elf_function f = { .name = name, .size = guess };

		elf_functions_find(text, size, &f, 1);
		if (f.section)
			return guess;
	}
	return 0;
}

static unsigned int sizes[2][3]; /* of inner, outer and early: in vmlinux, in the module */

static bool find_sizes(int fd)
{
	static const char *const files[] = { "vmlinux", "fs/toy-fs.ko" };
	static const char *const names[] = { "inner", "outer", "early" };

	for (size_t i = 0; i < 2; i++) {
		size_t size;
		_cleanup_free_ char *text = tree_read(fd, files[i], 16 << 20, &size, NULL);

		for (size_t k = 0; k < 3; k++) {
			sizes[i][k] = text ? size_of(text, size, names[k]) : 0;
			if (!sizes[i][k])
				return false;
		}
	}
	return true;
}

/* A report of WHERE, with a stack of frames that have just called and ended. */
static void report(struct kernel_traces *traces, unsigned int shift)
{
	char text[1024];
	json_t *line;

	snprintf(text, sizeof(text),
		 "WARNING: at x.c:1 inner+0x1/0x%x\n"
		 "RIP: 0010:inner+0x1/0x%x\n"
		 " outer+0x%x/0x%x\n"
		 " ? inner+0x%x/0x%x\n"
		 " early+0x%x/0x%x [toy_fs 0123456789abcdef]\n"
		 " outer+0x1/0x%x [toy_fs]\n"
		 " lost+0x1/0x2 [nosuch]\n",
		 sizes[0][0] + shift, sizes[0][0] + shift, sizes[0][1], sizes[0][1], sizes[0][0],
		 sizes[0][0], sizes[1][2], sizes[1][2], sizes[1][1]);
	line = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "WARNING", "test", "generic/001",
			 "line", "WARNING: at x.c:1", "trace", text, "signature",
			 shift ? "WARNING: lost" : "WARNING: outer inner");
	kernel_traces_add(traces, line);
	json_decref(line);
}

static bool has_line(const char *text, const char *start, const char *end)
{
	const char *found = text ? strstr(text, start) : NULL;
	const char *newline = found ? strchr(found, '\n') : NULL;

	return newline && newline - found >= (ptrdiff_t)strlen(end) &&
	       strncmp(newline - strlen(end), end, strlen(end)) == 0;
}

static void decoded(const char *dir, const struct run_dir *run)
{
	_cleanup_(kernel_traces_clear) struct kernel_traces traces = { NULL };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = NULL;
	const char *innermost;
	json_t *list;

	report(&traces, 0);
	report(&traces, 1);
	tap_check(trace_decode(&traces, dir, run, &err) == 0, "traces are decoded: %s",
		  err ? err->message : "");
	text = tree_read(run->fd, RUN_DECODED, 1 << 20, NULL, NULL);
	tap_check(has_line(text, "RIP: 0010:inner+0x1/", " (toy.c:3)") ||
			  has_line(text, "RIP: 0010:inner+0x1/", " (toy.c:2)"),
		  "a place in the kernel has its line, without the build directory");
	tap_check(has_line(text, " outer+0x", " (toy.c:10)"),
		  "a frame is at the call, not behind it");
	tap_check(has_line(text, " ? inner+0x", " (toy.c:5)"),
		  "an uncertain frame is decoded, too");
	tap_check(has_line(text, " early+0x", "[toy_fs 0123456789abcdef] (toy.c:14)"),
		  "so is one in another section of a module");
	tap_check(has_line(text, " outer+0x1/", "[toy_fs] (toy.c:7)") ||
			  strstr(text ? text : "", "[toy_fs] (toy.c:6)"),
		  "and one in its code");
	tap_check(text && strstr(text, "\n lost+0x1/0x2 [nosuch]\n"), "an unknown module stays");
	tap_check(text && strstr(strstr(text, "lost"), "RIP: 0010:inner+0x1/") &&
			  !has_line(strstr(text, "lost"), "RIP: 0010:inner+0x1/", ")"),
		  "a function of another size is of another build");
	list = kernel_traces_list(&traces);
	innermost = json_string_value(json_object_get(json_array_get(list, 0), "source"));
	tap_check(json_array_size(list) == 2 && tap_same(innermost, "toy.c:10") &&
			  !json_object_get(json_array_get(list, 1), "source") &&
			  !json_object_get(json_array_get(list, 0), "trace"),
		  "the innermost function has its source");
	json_decref(list);
}

static void refused(const char *dir, int fd, const struct run_dir *run)
{
	_cleanup_(kernel_traces_clear) struct kernel_traces traces = { NULL };
	_cleanup_error_ struct error *err = NULL;

	unlinkat(run->fd, RUN_DECODED, 0);
	tap_check(trace_decode(&traces, dir, run, &err) == 0 &&
			  faccessat(run->fd, RUN_DECODED, F_OK, 0) < 0,
		  "nothing is written if there are no traces");
	report(&traces, 0);
	unlinkat(fd, "vmlinux", 0);
	tap_check(trace_decode(&traces, dir, run, &err) == 0 &&
			  faccessat(run->fd, RUN_DECODED, F_OK, 0) < 0,
		  "nor without a vmlinux");
	alarm(60);
	tap_check(mkfifoat(fd, "vmlinux", 0600) == 0 && trace_decode(&traces, dir, run, &err) == 0,
		  "a vmlinux that is a pipe stops nothing");
	alarm(0);
}

/* Damaged anywhere, the file is read without harm: the sanitizers look. */
static void damaged(int fd)
{
	size_t size;
	_cleanup_free_ char *text = tree_read(fd, "fs/toy-fs.ko", 16 << 20, &size, NULL);

	for (size_t at = 0; text && at < size; at += at < 64 ? 1 : 7) {
		struct elf_function f = { .name = "outer", .size = sizes[1][1] };
		char kept = text[at];

		text[at] = (char)0xff;
		elf_functions_find(text, size, &f, 1);
		text[at] = kept;
		elf_functions_find(text, at, &f, 1);
	}
	tap_check(text, "a damaged or truncated file is harmless");
}

int main(void)
{
	char path[SCRATCH_SIZE] = "decode";
	_cleanup_close_ int fd = -1;
	struct run_dir run = RUN_DIR_NONE;

	if (!scratch_make(path) || !compile(path) || (fd = open(path, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	mkdirat(fd, "run", 0755);
	run.path = path;
	run.fd = openat(fd, "run", O_RDONLY | O_DIRECTORY);
	tap_check(find_sizes(fd), "functions are found by their names and sizes");
	decoded(path, &run);
	damaged(fd);
	refused(path, fd, &run);
	close(run.fd);
	dir_remove(AT_FDCWD, path);
	return tap_done();
}
