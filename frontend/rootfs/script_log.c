#include "frontend/rootfs/script_log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "lib/write_all.h"

#define TEXT_MAX ((size_t)1 << 20)
#define LINES_SHOWN 6
#define LINE_SHOWN 200

void script_log_clear(struct script_log *log)
{
	free(log->text);
	*log = (struct script_log){ 0 };
}

/* Drops the older half, up to the end of a line. */
static void drop_half(struct script_log *log)
{
	const char *end = memchr(log->text + log->size / 2, '\n', log->size - log->size / 2);
	size_t gone = end ? (size_t)(end + 1 - log->text) : log->size;

	memmove(log->text, log->text + gone, log->size - gone);
	log->size -= gone;
	log->cut = true;
}

static bool script_log_make_room(struct script_log *log, size_t length)
{
	size_t room = log->room ? log->room : 4096;
	char *bigger;

	while (room < log->size + length + 2)
		room *= 2;
	if (room == log->room)
		return true;
	bigger = realloc(log->text, room);
	if (!bigger)
		return false;
	log->text = bigger;
	log->room = room;
	return true;
}

void script_log_add(const char *line, void *context)
{
	struct script_log *log = context;
	size_t length = strlen(line);

	if (log->size + length + 1 > TEXT_MAX)
		drop_half(log);
	if (!script_log_make_room(log, length))
		return;
	memcpy(log->text + log->size, line, length);
	log->size += length;
	log->text[log->size++] = '\n';
	log->text[log->size] = '\0';
}

/* --- finding the script that failed --- */

static size_t script_log_line_length(const char *line)
{
	return strcspn(line, "\n");
}

static const char *script_log_next_line(const char *line)
{
	line += script_log_line_length(line);
	return line + (*line == '\n');
}

/* A script's output follows one of these lines. */
static bool begins_package(const char *line)
{
	static const char *const words[] = { "Setting up ", "Unpacking ", "Preparing to unpack ",
					     "Processing triggers for ", "Removing " };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (text_has_prefix(line, words[i]))
			return true;
	return false;
}

static bool take_name(struct script_failure *f, const char *from, size_t length)
{
	if (length == 0 || length >= sizeof(f->package))
		return false;
	memcpy(f->package, from, length);
	f->package[length] = '\0';
	return strspn(f->package, "abcdefghijklmnopqrstuvwxyz0123456789+-.:") == length;
}

static void take_reason(struct script_failure *f, const char *line, size_t length)
{
	while (length && *line == ' ') {
		line++;
		length--;
	}
	snprintf(f->reason, sizeof(f->reason), "%.*s", (int)length, line);
}

/* "dpkg: error processing package NAME (--configure):", or "… archive …/NAME_1_all.deb
 * (--unpack):", with the reason on the next line. A package that only waits for another one is not
 * the cause. */
static bool is_dpkg_error(const char *line, struct script_failure *f)
{
	static const char package[] = "dpkg: error processing package ",
			  archive[] = "dpkg: error processing archive ";
	const char *reason = script_log_next_line(line), *end = line + script_log_line_length(line),
		   *name;

	if (text_has_prefix(line, package)) {
		name = line + strlen(package);
		if (!take_name(f, name, strcspn(name, " \n")))
			return false;
	} else if (text_has_prefix(line, archive)) {
		const char *path = line + strlen(archive);

		name = path;
		for (const char *c = path; c < end && *c != ' '; c++)
			if (*c == '/')
				name = c + 1;
		if (!take_name(f, name, strcspn(name, "_ \n")))
			return false;
	} else {
		return false;
	}
	take_reason(f, reason, script_log_line_length(reason));
	return !text_has_prefix(f->reason, "dependency problems");
}

/* "NAME: its preinst script failed with status 1", as unpack_plan.c words it. */
static bool is_preinst_error(const char *line, struct script_failure *f)
{
	static const char words[] = ": its preinst script failed with status ";
	size_t name = strcspn(line, ": \n");

	if (!text_has_prefix(line + name, words) || !take_name(f, line, name))
		return false;
	take_reason(f, line + name + 2, script_log_line_length(line) - name - 2);
	return true;
}

bool script_log_find(const char *text, struct script_failure *failure)
{
	*failure = (struct script_failure){ .output = text };
	for (const char *line = text; *line; line = script_log_next_line(line)) {
		if (is_dpkg_error(line, failure) || is_preinst_error(line, failure)) {
			failure->length = (size_t)(line - failure->output);
			return true;
		}
		if (begins_package(line))
			failure->output = script_log_next_line(line);
	}
	*failure = (struct script_failure){ 0 };
	return false;
}

/* --- reporting --- */

/* The start of the last LINES_SHOWN lines of TEXT. */
static const char *last_lines(const char *text, size_t length)
{
	const char *at = text + length;

	for (unsigned count = 0; at > text; at--)
		if (at[-1] == '\n' && count++ == LINES_SHOWN)
			break;
	return at;
}

/* "line; line"; the caller frees it. */
static char *join_output(const struct script_failure *f)
{
	const char *end = f->output + f->length;
	char *joined = NULL;
	size_t size;
	FILE *out = open_memstream(&joined, &size);

	if (!out)
		return NULL;
	for (const char *line = last_lines(f->output, f->length); line < end;
	     line = script_log_next_line(line)) {
		size_t length = script_log_line_length(line);

		fprintf(out, "%.*s%s", (int)(length < LINE_SHOWN ? length : LINE_SHOWN), line,
			script_log_next_line(line) < end ? "; " : "");
	}
	if (fclose(out) == 0)
		return joined;
	free(joined);
	return NULL;
}

static void script_log_print_event(const struct script_failure *f, const char *path,
				   struct progress *progress)
{
	json_t *lines = json_array();
	const char *end = f->output + f->length;

	for (const char *line = last_lines(f->output, f->length); line < end;
	     line = script_log_next_line(line)) {
		_cleanup_free_ char *copy = strndup(line, script_log_line_length(line));

		json_array_append_new(lines, json_text(copy));
	}
	progress_event(progress, "script",
		       json_pack("{s:o, s:o, s:o, s:o}", "package", json_text(f->package), "reason",
				 json_text(f->reason), "output", lines, "log", json_text(path)));
}

/* The path of the log file, which the caller frees; NULL if it could not be written. */
static char *script_log_write_file(const struct script_log *log, const char *name)
{
	_cleanup_free_ char *relative = NULL, *path = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&relative, "logs/create-%s.log", name) < 0) {
		relative = NULL;
		return NULL;
	}
	path = paths_state(relative, NULL);
	if (!path || dir_make_above(path) < 0)
		return NULL;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, log->text, log->size) < 0)
		return NULL;
	return STEAL_PTR(path);
}

void script_log_explain(const struct script_log *log, const char *name, struct progress *progress,
			struct error **err)
{
	_cleanup_free_ char *path = NULL, *output = NULL;
	_cleanup_error_ struct error *old = NULL;
	struct script_failure f;
	bool found;

	if (!err || !*err || (*err)->code != ERR_PACKAGE || !log->size)
		return;
	path = script_log_write_file(log, name);
	found = script_log_find(log->text, &f);
	if (found) {
		script_log_print_event(&f, path, progress);
		output = join_output(&f);
	}
	old = STEAL_PTR(*err);
	if (found)
		error_set(err, old->code, "package %s: %s%s%s%s%s", f.package, f.reason,
			  output && *output ? "; its last output: " : "", output ? output : "",
			  path ? "; all output: " : "", path ? path : "");
	else
		error_set(err, old->code, "%s%s%s", error_text(old), path ? "; all output: " : "",
			  path ? path : "");
}
