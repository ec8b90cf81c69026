#include "frontend/fstests/trace_decode.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/addr2line.h"
#include "frontend/fstests/elf_functions.h"
#include "frontend/fstests/trace_place.h"
#include "lib/cleanup.h"
#include "lib/write_all.h"

#define PLACES_MOST 4096
#define NAME_SIZE 256
#define ORDER_MOST (1u << 20)

/* A place that some traces name, and its source line. */
struct decoded {
	char name[NAME_SIZE], module[64];
	uint64_t offset, size;
	bool frame;
	char *line; /* NULL if unknown */
};

struct decoding {
	const char *build;
	int fd; /* the build directory */
	struct decoded *places;
	size_t count;
};

static void decoding_clear(struct decoding *d)
{
	for (size_t i = 0; i < d->count; i++)
		free(d->places[i].line);
	free(d->places);
	closep(&d->fd);
}

/* --- places --------------------------------------------------------------------------------- */

static bool decoded_is(const struct decoded *d, const struct trace_place *p)
{
	return d->offset == p->offset && d->size == p->size && d->frame == p->frame &&
	       strlen(d->name) == p->name_length && strlen(d->module) == p->module_length &&
	       memcmp(d->name, p->name, p->name_length) == 0 &&
	       memcmp(d->module, p->module, p->module_length) == 0;
}

static struct decoded *decoding_find(const struct decoding *d, const struct trace_place *p)
{
	for (size_t i = 0; i < d->count; i++)
		if (decoded_is(&d->places[i], p))
			return &d->places[i];
	return NULL;
}

static void decoding_add(struct decoding *d, const struct trace_place *p)
{
	struct decoded *one;

	if (d->count == PLACES_MOST || p->name_length >= NAME_SIZE ||
	    p->module_length >= sizeof(one->module) || decoding_find(d, p))
		return;
	one = &d->places[d->count++];
	*one = (struct decoded){ .offset = p->offset, .size = p->size, .frame = p->frame };
	memcpy(one->name, p->name, p->name_length);
	memcpy(one->module, p->module, p->module_length);
}

static const char *decoding_text(const json_t *trace, const char *key)
{
	const char *text = json_string_value(json_object_get(trace, key));

	return text ? text : "";
}

static void decoding_collect(struct decoding *d, const char *trace)
{
	struct trace_place place;

	for (const char *line = trace; *line;) {
		const char *end = line + strcspn(line, "\n");

		for (const char *at = line; trace_place_find(line, at, end, &place); at = place.end)
			decoding_add(d, &place);
		line = end + (*end == '\n');
	}
}

/* --- one file of the build ------------------------------------------------------------------ */

struct object {
	char *path;
	void *data;
	size_t size;
};

static void object_clear(struct object *o)
{
	if (o->data)
		munmap(o->data, o->size);
	free(o->path);
}

static bool object_open(const struct decoding *d, const char *name, struct object *o)
{
	/* O_NONBLOCK: it may be a pipe, on which open() must not block. */
	_cleanup_close_ int fd = tree_open(d->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    asprintf(&o->path, "%s/%s", d->build, name) < 0)
		return false;
	o->size = (size_t)st.st_size;
	o->data = mmap(NULL, o->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (o->data == MAP_FAILED)
		o->data = NULL;
	return o->data;
}

/* The source directory is left out, as far as it is the build directory. */
static char *shorten(const struct decoding *d, char *line)
{
	size_t length = strlen(d->build);

	if (line && strncmp(line, d->build, length) == 0 && line[length] == '/')
		memmove(line, line + length + 1, strlen(line + length + 1) + 1);
	return line;
}

/* Decodes those of FUNCTIONS that lie in SECTION; NULL: those that were found. */
static int decode_section(const struct decoding *d, const struct object *o, const char *section,
			  const struct elf_function *functions, struct decoded **places,
			  size_t count, struct error **err)
{
	_cleanup_free_ uint64_t *addresses = calloc(count + 1, sizeof(*addresses));
	_cleanup_free_ size_t *which = calloc(count + 1, sizeof(*which));
	_cleanup_free_ char **lines = calloc(count + 1, sizeof(char *));
	size_t found = 0;

	if (!addresses || !which || !lines)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		if (functions[i].section &&
		    (!section || strcmp(functions[i].section, section) == 0)) {
			/* A return address is that of the line after the call. */
			bool back = places[i]->frame && places[i]->offset > 0;

			which[found] = i;
			addresses[found++] = functions[i].address + places[i]->offset - back;
		}
	if (found == 0)
		return 0;
	if (addr2line(o->path, section, addresses, found, lines, err) < 0)
		return -1;
	for (size_t i = 0; i < found; i++)
		places[which[i]]->line = shorten(d, lines[i]);
	return 0;
}

/* Decodes the sections of a module one after the other. */
static int decode_sections(const struct decoding *d, const struct object *o,
			   struct elf_function *functions, struct decoded **places, size_t count,
			   struct error **err)
{
	for (size_t i = 0; i < count; i++) {
		const char *section = functions[i].section;

		if (!section || *section == '-')
			continue;
		if (decode_section(d, o, section, functions, places, count, err) < 0)
			return -1;
		for (size_t k = count; k-- > i;)
			if (functions[k].section && strcmp(functions[k].section, section) == 0)
				functions[k].section = NULL;
	}
	return 0;
}

/* Decodes all places of MODULE, or of the kernel itself (""), in the file NAME. */
static int decode_object(struct decoding *d, const char *module, const char *name,
			 struct error **err)
{
	_cleanup_free_ struct elf_function *functions = calloc(d->count + 1, sizeof(*functions));
	_cleanup_free_ struct decoded **places = calloc(d->count + 1, sizeof(struct decoded *));
	_cleanup_(object_clear) struct object o = { 0 };
	size_t count = 0;

	if (!functions || !places)
		return error_no_memory(err);
	if (!object_open(d, name, &o))
		return 0;
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->places[i].module, module) == 0) {
			functions[count] = (struct elf_function){ .name = d->places[i].name,
								  .size = d->places[i].size };
			places[count++] = &d->places[i];
		}
	elf_functions_find(o.data, o.size, functions, count);
	return elf_is_relocatable(o.data, o.size)
		       ? decode_sections(d, &o, functions, places, count, err)
		       : decode_section(d, &o, NULL, functions, places, count, err);
}

/* --- modules -------------------------------------------------------------------------------- */

/* Whether PATH of LENGTH is MODULE's file: '-' in a file's name is '_' in the module's. */
static bool is_file_of(const char *path, size_t length, const char *module)
{
	const char *slash = memrchr(path, '/', length);
	const char *base = slash ? slash + 1 : path;
	size_t stem = strlen(module);

	if ((size_t)(path + length - base) <= stem || base[stem] != '.')
		return false;
	for (size_t i = 0; i < stem; i++)
		if ((base[i] == '-' ? '_' : base[i]) != module[i])
			return false;
	return true;
}

/* Returns the module's file, relative to the build directory. modules.order names it by its object
 * file since Linux 6.5. The caller frees it. */
static char *module_file(const char *order, const char *module)
{
	for (const char *line = order; *line;) {
		size_t length = strcspn(line, "\n");

		if (is_file_of(line, length, module)) {
			const char *dot = memrchr(line, '.', length);
			char *path;

			return asprintf(&path, "%.*s.ko", (int)(dot - line), line) < 0 ? NULL
										       : path;
		}
		line += length + (line[length] == '\n');
	}
	return NULL;
}

static int decode_modules(struct decoding *d, struct error **err)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *order = tree_read(d->fd, "modules.order", ORDER_MOST, NULL, &ignored);

	for (size_t i = 0; order && i < d->count; i++) {
		const char *module = d->places[i].module;
		_cleanup_free_ char *file = NULL;
		bool seen = !*module;

		for (size_t k = 0; k < i && !seen; k++)
			seen = strcmp(d->places[k].module, module) == 0;
		if (seen || !(file = module_file(order, module)))
			continue;
		if (decode_object(d, module, file, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the result ----------------------------------------------------------------------------- */

static void write_decoded(const struct decoding *d, const char *trace, FILE *out)
{
	struct trace_place place;

	for (const char *line = trace; *line;) {
		const char *end = line + strcspn(line, "\n"), *at = line;

		while (trace_place_find(line, at, end, &place)) {
			const struct decoded *found = decoding_find(d, &place);

			fprintf(out, "%.*s", (int)(place.end - at), at);
			if (found && found->line)
				fprintf(out, " (%s)", found->line);
			at = place.end;
		}
		fprintf(out, "%.*s\n", (int)(end - at), at);
		line = end + (*end == '\n');
	}
	fputc('\n', out);
}

/* Returns the source of FUNCTION, of LENGTH, or of a part of it ("FUNCTION.cold"), in the line. */
static const char *source_of_function(const struct decoding *d, const char *line, const char *end,
				      const char *function, size_t length)
{
	struct trace_place place;

	for (const char *at = line; trace_place_find(line, at, end, &place); at = place.end) {
		const struct decoded *found = decoding_find(d, &place);

		if (place.name_length >= length && strncmp(place.name, function, length) == 0 &&
		    (place.name_length == length || place.name[length] == '.') && found)
			return found->line;
	}
	return NULL;
}

/* The innermost function is the first that the signature names. */
static void set_source(const struct decoding *d, json_t *trace)
{
	const char *function = strstr(decoding_text(trace, "signature"), ": ");
	size_t length = function ? strcspn(function + 2, " ") : 0;
	const char *source = NULL;

	for (const char *line = decoding_text(trace, "trace"); length && *line && !source;) {
		const char *end = line + strcspn(line, "\n");

		source = source_of_function(d, line, end, function + 2, length);
		line = end + (*end == '\n');
	}
	if (source)
		json_object_set_new(trace, "source", json_string(source));
}

static int decoding_write(const struct decoding *d, const struct kernel_traces *traces,
			  const struct run_dir *run, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	const char *signature;
	json_t *trace;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return error_no_memory(err);
	json_object_foreach(traces->by_signature, signature, trace)
	{
		set_source(d, trace);
		write_decoded(d, decoding_text(trace, "trace"), out);
	}
	if (fclose(out) != 0)
		return error_no_memory(err);
	fd = openat(run->fd, RUN_DECODED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write_all(fd, text, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/" RUN_DECODED, run->path);
	return 0;
}

int trace_decode(const struct kernel_traces *traces, const char *build, const struct run_dir *run,
		 struct error **err)
{
	_cleanup_(decoding_clear) struct decoding d = { .build = build, .fd = -1 };
	const char *signature;
	json_t *trace;

	if (!traces->by_signature)
		return 0;
	d.fd = open(build, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0 || faccessat(d.fd, "vmlinux", R_OK, 0) < 0)
		return 0;
	d.places = calloc(PLACES_MOST, sizeof(*d.places));
	if (!d.places)
		return error_no_memory(err);
	json_object_foreach(traces->by_signature, signature, trace)
		decoding_collect(&d, decoding_text(trace, "trace"));
	if (d.count == 0)
		return 0;
	if (decode_object(&d, "", "vmlinux", err) < 0 || decode_modules(&d, err) < 0)
		return -1;
	return decoding_write(&d, traces, run, err);
}
