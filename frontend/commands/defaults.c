#include "frontend/commands/defaults.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/paths.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"

#define FILE_MOST 65536
#define COMMANDS_MOST 64
#define ALL "all"

bool defaults_allowed(const struct option_row *row)
{
	return !option_row_is_verb(row) && !row->once;
}

bool defaults_apply(const struct command *command)
{
	const struct option_row *row;

	for (size_t i = 0; (row = option_row_at(command, i)); i++)
		if (defaults_allowed(row))
			return true;
	return false;
}

/* --- parsing --- */

struct defaults_parser {
	struct defaults *defaults;
	const struct command *const *commands;
	size_t command_count;
	struct ini_text ini;
};

/* *COMMAND becomes NULL for [all]. Returns 0 if the section is unknown. */
static int find_section(struct defaults_parser *p, const char *section,
			const struct command **command)
{
	const char *names[COMMANDS_MOST + 1] = { ALL }, *hint;
	size_t count = 1;

	*command = NULL;
	if (strcmp(section, ALL) == 0)
		return 1;
	for (size_t i = 0; i < p->command_count && i < COMMANDS_MOST; i++) {
		if (strcmp(p->commands[i]->name, section) == 0) {
			*command = p->commands[i];
			return 1;
		}
		if (defaults_apply(p->commands[i]))
			names[count++] = p->commands[i]->name;
	}
	if (!*section)
		return ini_complain(&p->ini, "a key before the first [section]");
	hint = suggest(section, names, count);
	p->ini.line = p->ini.section_line;
	return ini_complain(
		&p->ini, "unknown section [%.80s]: must be a command, or [" ALL "]%s%s%s", section,
		hint ? "; did you mean: [" : "", hint ? hint : "", hint ? "]" : "");
}

/* Adds the options of COMMAND that can have a default to NAMES. */
static size_t list_keys(const struct command *command, const char **names, size_t count)
{
	const struct option_row *row;

	for (size_t i = 0; (row = option_row_at(command, i)); i++)
		if (row->text && defaults_allowed(row))
			names[count++] = row->name + strlen("--");
	return count;
}

static int complain_unknown(struct defaults_parser *p, const struct command *command,
			    const char *key)
{
	const char *names[COMMANDS_MOST * OPTION_ROWS_MAX], *hint;
	size_t count = 0;

	for (size_t i = 0; i < p->command_count && i < COMMANDS_MOST; i++)
		if (!command || command == p->commands[i])
			count = list_keys(p->commands[i], names, count);
	hint = suggest(key + strspn(key, "-"), names, count);
	return ini_complain(&p->ini, "%s%s%s \"%.80s\"%s%s", command ? "rootlet " : "",
			    command ? command->name : "no command",
			    command ? " has no option" : " has an option", key,
			    hint ? "; did you mean: " : "", hint ? hint : "");
}

static int check_value(struct defaults_parser *p, const struct option_row *row, const char *value)
{
	_cleanup_free_ char *choices = NULL;

	if (row->once)
		return ini_complain(&p->ini,
				    "%s cannot have a default: give it on the command line",
				    row->name);
	if (!row->value && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return ini_complain(&p->ini, "%s = %.80s: must be yes or no", row->name + 2, value);
	if (!option_has_choices(row) || option_is_choice(row, value))
		return 1;
	choices = option_explain_choices(row, value);
	return ini_complain(&p->ini, "%s = %.80s: %s", row->name + 2, value,
			    choices ? choices : "out of memory");
}

/* The file has no shell that would expand "~/". */
static char *expand_value(const struct option_row *row, const char *value)
{
	static const char *const paths[] = { "FILE", "DIR", "KERNEL" };
	_cleanup_free_ char *home = NULL;
	bool path = false;
	char *expanded;

	for (size_t i = 0; row->value && i < sizeof(paths) / sizeof(*paths); i++)
		path = path || strcmp(row->value, paths[i]) == 0;
	if (path && text_has_prefix(value, "~/"))
		home = paths_home(NULL);
	if (!home)
		return strdup(value);
	return asprintf(&expanded, "%s%s", home, value + 1) < 0 ? NULL : expanded;
}

static int defaults_add(struct defaults_parser *p, const struct command *command,
			const struct option_row *row, const char *value)
{
	struct defaults *d = p->defaults;
	struct default_value *more = array_grow(&d->list, d->count, sizeof(*more));

	if (!more)
		return ini_complain(&p->ini, "out of memory");
	d->count++;
	*more = (struct default_value){ command, row->name, expand_value(row, value), p->ini.line };
	return more->value ? 1 : ini_complain(&p->ini, "out of memory");
}

static int defaults_take(void *context, const char *section, const char *key, const char *value)
{
	struct defaults_parser *p = context;
	const struct option_row *row, *found = NULL;
	const struct command *command;
	_cleanup_free_ char *name = NULL;

	if (!find_section(p, section, &command))
		return 0;
	if (asprintf(&name, "--%s", key) < 0) {
		name = NULL;
		return ini_complain(&p->ini, "out of memory");
	}
	for (size_t i = 0; i < p->command_count; i++) {
		row = !command || command == p->commands[i] ? option_row_named(p->commands[i], name)
							    : NULL;
		if (row && !check_value(p, row, value))
			return 0;
		found = row ? row : found;
	}
	return found ? defaults_add(p, command, found, value) : complain_unknown(p, command, key);
}

static void defaults_drop(struct defaults *d)
{
	for (size_t i = 0; i < d->count; i++)
		free(d->list[i].value);
	free(d->list);
	d->list = NULL;
	d->count = 0;
}

void defaults_parse(struct defaults *d, const char *path, const char *text,
		    const struct command *const *commands, size_t count)
{
	struct defaults_parser p = {
		.defaults = d,
		.commands = commands,
		.command_count = count,
		.ini = { .path = path, .text = text, .handler = defaults_take, .context = &p },
	};

	if (ini_text_parse(&p.ini, &d->error) < 0)
		defaults_drop(d);
}

/* --- the file --- */

/* Its values decide what rootlet runs and where it downloads from. */
static int check_owner(int fd, const char *path, struct error **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot stat %s", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return error_set(err, ERR_INPUT,
				 "%s belongs to uid %u, who could choose what rootlet does for "
				 "you; run: rm %s",
				 path, (unsigned)st.st_uid, path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, ERR_INPUT,
				 "other users can write to %s, and choose what rootlet does for "
				 "you; run: chmod go-w %s",
				 path, path);
	return 0;
}

void defaults_read(struct defaults *d, const struct command *const *commands, size_t count)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t size;

	*d = (struct defaults){ .path = paths_config("config", &d->error) };
	if (!d->path)
		return;
	fd = open(d->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return;
	d->found = true;
	text = descriptor_read(fd, d->path, FILE_MOST, &size, &d->error);
	if (!text || check_owner(fd, d->path, &d->error) < 0)
		return;
	if (strlen(text) != size)
		error_set(&d->error, ERR_INPUT, "%s has NUL bytes", d->path);
	else
		defaults_parse(d, d->path, text, commands, count);
}

void defaults_clear(struct defaults *d)
{
	defaults_drop(d);
	free(d->path);
	error_free(&d->error);
	*d = (struct defaults){ 0 };
}

/* --- looking up --- */

static bool default_is_of(const struct default_value *value, const struct command *section,
			  const struct command *command, const struct option_row *row)
{
	const struct option_row *named = option_row_named(command, value->option);

	return value->command == section && named && named->code == row->code;
}

const struct default_value *defaults_next(const struct defaults *d, const struct command *command,
					  const struct option_row *row, size_t *i)
{
	const struct command *section = NULL;

	for (size_t k = 0; k < d->count; k++)
		if (default_is_of(&d->list[k], command, command, row))
			section = command;
	while (*i < d->count)
		if (default_is_of(&d->list[(*i)++], section, command, row))
			return &d->list[*i - 1];
	return NULL;
}
