#include "frontend/fstests/requirement_programs.h"

#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "lib/names.h"

#define PROGRAMS_MOST 2000 /* fstests has about 120 */
#define ALIASES_MOST 4	   /* in a row */
#define COMMAND_LENGTH 64

static struct test_key program_key(const void *list, size_t position)
{
	const struct requirement_program *program =
		(const struct requirement_program *)list + position;

	return (struct test_key){ "", program->variable };
}

static bool is_command(const char *word)
{
	return word[0] != '_' && valid_name(word, COMMAND_LENGTH, NAME_ALL, "_.+-");
}

bool requirement_program_lookup(const char *word, char name[static SHELL_WORD_SIZE])
{
	static const char *const forms[] = { "$(type -P ",     "$(type -p ",	   "$(which ",
					     "$(command -v ",  "$(set_prog_path ", "`which ",
					     "`set_prog_path " };

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const char *at = word + strlen(forms[i]);

		if (!text_has_prefix(word, forms[i]) || !shell_next_word(&at, name))
			continue;
		name[strcspn(name, "`)")] = '\0';
		return true;
	}
	return false;
}

/* "$(set_mkfs_prog_path_with_opts btrfs)" of common/config. */
static bool read_mkfs_lookup(const char *word, char name[static SHELL_WORD_SIZE])
{
	static const char form[] = "set_mkfs_prog_path_with_opts ";
	const char *at = strstr(word, form);
	char type[SHELL_WORD_SIZE];

	if (!at)
		return false;
	at += strlen(form);
	if (!shell_next_word(&at, type) || strlen(type) >= COMMAND_LENGTH)
		return false;
	type[strcspn(type, ")`")] = '\0';
	snprintf(name, SHELL_WORD_SIZE, "mkfs.%.*s", COMMAND_LENGTH, type);
	return true;
}

bool requirement_program_variable(const char *word, char name[static SHELL_WORD_SIZE])
{
	const char *start = word + 1 + (word[0] && word[1] == '{');
	size_t length = word[0] == '$' ? shell_name_length(start) : 0;

	if (!length || length >= SHELL_WORD_SIZE || start[length] == '/')
		return false;
	memcpy(name, start, length);
	name[length] = '\0';
	return true;
}

void requirement_program_assign(struct requirement_scan *s, const char *line, uint32_t filesystems)
{
	const char *equals = strstr(line, "_PROG="), *start = equals, *at;
	char variable[SHELL_WORD_SIZE], word[SHELL_WORD_SIZE], name[SHELL_WORD_SIZE] = "";
	struct requirement_program *program;
	bool alias = false;
	size_t length;

	while (start && start > line && strchr(NAME_ALL "_", start[-1]))
		start--;
	length = start ? strcspn(start, "=") : 0;
	if (!length || length >= sizeof(variable) || s->program_count >= PROGRAMS_MOST)
		return;
	memcpy(variable, start, length);
	variable[length] = '\0';
	at = equals + strlen("_PROG=");
	if (!shell_next_word(&at, word))
		return;
	if (!requirement_program_lookup(word, name) && !read_mkfs_lookup(word, name))
		alias = requirement_program_variable(word, name);
	if (!alias && !is_command(name))
		name[0] = '\0';
	if (alias && strcmp(name, variable) == 0)
		return;
	program = array_grow(&s->programs, s->program_count, sizeof(*program));
	if (program)
		*program = (struct requirement_program){ strdup(variable), strdup(name), alias,
							 filesystems };
	if (!program || !program->variable || !program->command)
		s->failed = true;
	s->program_count += program != NULL;
	/* The first of its name; requirement_program_add() looks for the others behind it. */
	if (!s->failed &&
	    !test_index_add(&s->program_index, s->programs, program_key, s->program_count - 1))
		s->failed = true;
}

static bool collect_program(struct requirement_reader *r, const char *variable,
			    uint32_t filesystems, unsigned int aliases)
{
	const struct requirement_scan *s = r->scan;
	size_t first = test_index_find(&s->program_index, s->programs, program_key, "", variable);
	bool named = false;

	if (first == TEST_INDEX_NONE || aliases > ALIASES_MOST)
		return first != TEST_INDEX_NONE;
	for (size_t i = first; i < s->program_count; i++)
		named = named || (!s->programs[i].alias && s->programs[i].command[0] &&
				  strcmp(s->programs[i].variable, variable) == 0);
	for (size_t i = first; i < s->program_count; i++) {
		const struct requirement_program *program = &s->programs[i];

		if (strcmp(program->variable, variable) != 0 || program->alias == named)
			continue;
		if (program->alias)
			collect_program(r, program->command, filesystems & program->filesystems,
					aliases + 1);
		else if (program->command[0])
			requirement_add_need(r, NEEDS_COMMAND, program->command,
					     filesystems & program->filesystems);
	}
	return true;
}

bool requirement_program_add(struct requirement_reader *r, const char *variable,
			     uint32_t filesystems)
{
	return collect_program(r, variable, filesystems, 0);
}

/* Resolves a variable of the file itself. */
static bool find_own_variable(struct requirement_reader *r, const char *variable,
			      char value[static SHELL_WORD_SIZE])
{
	if (r->lookups == 0)
		return false;
	r->lookups--;
	return shell_find_assignment(r->text, variable, value);
}

void requirement_program_ask(struct requirement_reader *r, const char *word, const char *name,
			     uint32_t filesystems)
{
	char looked[SHELL_WORD_SIZE], variable[SHELL_WORD_SIZE], value[SHELL_WORD_SIZE];

	if (!requirement_program_lookup(word, looked))
		snprintf(looked, sizeof(looked), "%s", word);
	if (requirement_program_variable(looked, variable)) {
		if (r->present && strcmp(r->tested, variable) == 0)
			return;
		if (requirement_program_add(r, variable, filesystems))
			return;
		if (!find_own_variable(r, variable, value))
			snprintf(value, sizeof(value), "%s", name);
		if (!requirement_program_lookup(value, looked))
			snprintf(looked, sizeof(looked), "%s", value);
	}
	/* With a slash, it is a program that fstests builds. */
	if (is_command(looked))
		requirement_add_need(r, NEEDS_COMMAND, looked, filesystems);
}
