#include "frontend/fstests/requirement_text.h"

#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/shell_conditions.h"
#include "frontend/fstests/shell_text.h"
#include "lib/names.h"

/* fstests has about 1,200 functions, 120 programs, and 10,000 edges. */
#define NAMES_MOST 20000
#define PROGRAMS_MOST 2000
#define EDGES_MOST 200000
#define LOOKUPS_MOST 64 /* of a file's own variables */
#define ALIASES_MOST 4	/* in a row */
#define COMMAND_LENGTH 64
#define OPTION_LENGTH 80

/* A piece of code as it is read. */
struct reader {
	struct requirement_scan *scan;
	const char *text; /* of the whole file */
	size_t piece;
	struct shell_conditions conditions;
	bool modules;	      /* modprobe and modinfo count */
	unsigned int lookups; /* left */
	/* Program that the previous line, an `if`, looked for, and whether it must be there for the
	 * line after that to run. */
	char tested[SHELL_WORD_SIZE];
	bool present;
};

void requirement_scan_clear(struct requirement_scan *s)
{
	for (size_t i = 0; i < s->need_count; i++)
		requirement_clear(&s->needs[i]);
	for (size_t i = 0; i < s->piece_count; i++) {
		free(s->pieces[i].name);
		free(s->pieces[i].needs.list);
		free(s->pieces[i].calls.list);
	}
	for (size_t i = 0; i < s->program_count; i++) {
		free(s->programs[i].variable);
		free(s->programs[i].command);
	}
	free(s->needs);
	free(s->pieces);
	free(s->programs);
	test_index_clear(&s->need_index);
	test_index_clear(&s->piece_index);
	test_index_clear(&s->program_index);
}

/* --- names ---------------------------------------------------------------------------------- */

static struct test_key need_key(const void *list, size_t position)
{
	const struct requirement *need = (const struct requirement *)list + position;

	return (struct test_key){ requirement_kind_name(need->kind), need->name };
}

static struct test_key piece_key(const void *list, size_t position)
{
	return (struct test_key){ "", ((const struct requirement_piece *)list)[position].name };
}

static struct test_key program_key(const void *list, size_t position)
{
	const struct requirement_program *program =
		(const struct requirement_program *)list + position;

	return (struct test_key){ "", program->variable };
}

static size_t find_piece(const struct requirement_scan *s, const char *name)
{
	return test_index_find(&s->piece_index, s->pieces, piece_key, "", name);
}

static void add_piece(struct requirement_scan *s, const char *name)
{
	struct requirement_piece *piece;

	if (s->piece_count >= NAMES_MOST)
		s->excessive = true;
	if (s->excessive || find_piece(s, name) != TEST_INDEX_NONE)
		return;
	piece = array_grow(&s->pieces, s->piece_count, sizeof(*piece));
	if (piece)
		piece->name = strdup(name);
	if (!piece || !piece->name) {
		s->failed = true;
		return;
	}
	s->piece_count++;
	if (!test_index_add(&s->piece_index, s->pieces, piece_key, s->piece_count - 1))
		s->failed = true;
}

static size_t number_need(struct requirement_scan *s, enum requirement_kind kind, const char *name)
{
	size_t at = test_index_find(&s->need_index, s->needs, need_key, requirement_kind_name(kind),
				    name);
	struct requirement *need;

	if (s->need_count >= NAMES_MOST)
		s->excessive = true;
	if (at != TEST_INDEX_NONE || s->excessive)
		return at;
	need = array_grow(&s->needs, s->need_count, sizeof(*need));
	if (need)
		need->name = strdup(name);
	if (!need || !need->name) {
		s->failed = true;
		return TEST_INDEX_NONE;
	}
	need->kind = kind;
	s->need_count++;
	if (!test_index_add(&s->need_index, s->needs, need_key, s->need_count - 1))
		s->failed = true;
	return s->need_count - 1;
}

/* --- edges ---------------------------------------------------------------------------------- */

/* Adds an edge, or extends that at *AT if the current piece added it before. */
static void add_edge(struct reader *r, struct requirement_edges *edges, size_t target, size_t *in,
		     size_t *at, uint32_t filesystems)
{
	struct requirement_scan *s = r->scan;
	struct requirement_edge *edge;

	if (*in == s->piece_number) {
		edges->list[*at].filesystems |= filesystems;
		return;
	}
	if (r->piece && ++s->edge_count > EDGES_MOST) {
		s->excessive = true;
		return;
	}
	edge = array_grow(&edges->list, edges->count, sizeof(*edge));
	if (!edge) {
		s->failed = true;
		return;
	}
	*edge = (struct requirement_edge){ (uint32_t)target, filesystems };
	*in = s->piece_number;
	*at = edges->count++;
}

static void add_need(struct reader *r, enum requirement_kind kind, const char *name,
		     uint32_t filesystems)
{
	size_t target = filesystems ? number_need(r->scan, kind, name) : TEST_INDEX_NONE;
	struct requirement *need;

	if (target == TEST_INDEX_NONE)
		return;
	need = &r->scan->needs[target];
	add_edge(r, &r->scan->pieces[r->piece].needs, target, &need->marked_in, &need->marked_at,
		 filesystems);
}

static void add_call(struct reader *r, const char *name, uint32_t filesystems)
{
	size_t target = filesystems ? find_piece(r->scan, name) : TEST_INDEX_NONE;
	struct requirement_piece *piece;

	if (target == TEST_INDEX_NONE || target == r->piece)
		return;
	piece = &r->scan->pieces[target];
	add_edge(r, &r->scan->pieces[r->piece].calls, target, &piece->marked_in, &piece->marked_at,
		 filesystems);
}

/* --- commands ------------------------------------------------------------------------------- */

static bool is_command(const char *word)
{
	return word[0] != '_' && valid_name(word, COMMAND_LENGTH, NAME_ALL, "_.+-");
}

/* If WORD looks for a program, as "$(type -P xfs_io)" does, its name. */
static bool read_lookup(const char *word, char name[static SHELL_WORD_SIZE])
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

/* The variable that WORD, "$NAME" or "${NAME} -f", begins with. */
static bool read_variable(const char *word, char name[static SHELL_WORD_SIZE])
{
	const char *start = word + 1 + (word[0] && word[1] == '{');
	size_t length = word[0] == '$' ? shell_name_length(start) : 0;

	if (!length || length >= SHELL_WORD_SIZE || start[length] == '/')
		return false;
	memcpy(name, start, length);
	name[length] = '\0';
	return true;
}

/* Remembers the assignment in LINE to a variable called …_PROG, the only ones that tests ask for.
 */
static void scan_assignment(struct requirement_scan *s, const char *line, uint32_t filesystems)
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
	if (!read_lookup(word, name) && !read_mkfs_lookup(word, name))
		alias = read_variable(word, name);
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
	/* The first of its name; scan_program() looks for the others behind it. */
	if (!s->failed &&
	    !test_index_add(&s->program_index, s->programs, program_key, s->program_count - 1))
		s->failed = true;
}

/* Adds the commands that VARIABLE may contain. What is looked up by name counts; where a variable
 * is only set to others, these count. Returns whether the variable is known. */
static bool scan_program(struct reader *r, const char *variable, uint32_t filesystems,
			 unsigned int aliases)
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
			scan_program(r, program->command, filesystems & program->filesystems,
				     aliases + 1);
		else if (program->command[0])
			add_need(r, NEEDS_COMMAND, program->command,
				 filesystems & program->filesystems);
	}
	return true;
}

/* Resolves a variable of the file itself. */
static bool find_own_variable(struct reader *r, const char *variable,
			      char value[static SHELL_WORD_SIZE])
{
	if (r->lookups == 0)
		return false;
	r->lookups--;
	return shell_find_assignment(r->text, variable, value);
}

/* Adds the command that WORD, the argument of _require_command, stands for. NAME is what its
 * message calls it, or "". */
static void scan_command(struct reader *r, const char *word, const char *name, uint32_t filesystems)
{
	char looked[SHELL_WORD_SIZE], variable[SHELL_WORD_SIZE], value[SHELL_WORD_SIZE];

	if (!read_lookup(word, looked))
		snprintf(looked, sizeof(looked), "%s", word);
	if (read_variable(looked, variable)) {
		if (r->present && strcmp(r->tested, variable) == 0)
			return;
		if (scan_program(r, variable, filesystems, 0))
			return;
		if (!find_own_variable(r, variable, value))
			snprintf(value, sizeof(value), "%s", name);
		if (!read_lookup(value, looked))
			snprintf(looked, sizeof(looked), "%s", value);
	}
	/* With a slash, it is a program that fstests builds. */
	if (is_command(looked))
		add_need(r, NEEDS_COMMAND, looked, filesystems);
}

/* --- calls that ask ------------------------------------------------------------------------- */

static void ask_command(struct reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE], name[SHELL_WORD_SIZE] = "";

	if (shell_next_word(&at, word)) {
		shell_next_word(&at, name);
		scan_command(r, word, name, filesystems);
	}
}

/* Adds the account that the call names, or the default of _require_user and _require_group. */
static void ask_account(struct reader *r, enum requirement_kind kind, const char *at,
			uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE];

	if (!shell_next_word(&at, word))
		snprintf(word, sizeof(word), "fsgqa");
	if (valid_account_name(word))
		add_need(r, kind, word, filesystems);
}

static void ask_user(struct reader *r, const char *at, uint32_t filesystems)
{
	ask_account(r, NEEDS_USER, at, filesystems);
}

static void ask_group(struct reader *r, const char *at, uint32_t filesystems)
{
	ask_account(r, NEEDS_GROUP, at, filesystems);
}

static void add_kernel_option(struct reader *r, const char *name, uint32_t filesystems)
{
	static const char prefix[] = "CONFIG_";
	char option[SHELL_WORD_SIZE];
	size_t length;

	if (!text_has_prefix(name, prefix))
		return;
	name += strlen(prefix);
	length = strspn(name, NAME_ALL "_");
	if (length == 0 || length > OPTION_LENGTH)
		return;
	memcpy(option, name, length);
	option[length] = '\0';
	/* common/rc spells it wrong. */
	add_need(r, NEEDS_OPTION, strcmp(option, "DEBUGFS") == 0 ? "DEBUG_FS" : option,
		 filesystems);
}

static void ask_option(struct reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE];

	while (shell_next_word(&at, word))
		add_kernel_option(r, word, filesystems);
}

static void ask_module(struct reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE];

	if (shell_next_word(&at, word) && valid_name(word, COMMAND_LENGTH, NAME_ALL, "_-"))
		add_need(r, NEEDS_MODULE, word, filesystems);
}

static void ask_target(struct reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE], module[SHELL_WORD_SIZE + 3];

	if (!shell_next_word(&at, word) || !valid_name(word, COMMAND_LENGTH, NAME_ALL, "-"))
		return;
	snprintf(module, sizeof(module), "dm-%s", word);
	add_need(r, NEEDS_MODULE, module, filesystems);
}

static const struct asking_call {
	const char *name;
	void (*ask)(struct reader *r, const char *at, uint32_t filesystems);
} asking_calls[] = {
	{ "_require_command", ask_command },
	{ "_require_program", ask_command },
	{ "_require_user", ask_user },
	{ "_require_user_exists", ask_user },
	{ "_require_group", ask_group },
	{ "_require_kernel_config", ask_option },
	{ "_require_dm_target", ask_target },
	{ "_require_loadable_module", ask_module },
	{ "_require_loadable_fs_module", ask_module },
	{ "_require_module", ask_module },
};

/* --- conditions that end a test ------------------------------------------------------------- */

/* Whether the variable from START to END is tested: [ -n "$X" ], [ "$X" = "" ]. Sets PRESENT if the
 * test is that it is not empty. */
static bool is_tested(const char *line, const char *start, const char *end, bool *present)
{
	while (start > line && strchr("\"'${", start[-1]))
		start--;
	while (start > line && start[-1] == ' ')
		start--;
	*present = start - line >= 2 && start[-2] == '-' && start[-1] == 'n';
	if (start - line >= 2 && start[-2] == '-' && strchr("nzxf", start[-1]))
		return true;
	if (start == line || (start[-1] != '[' && strncmp(line, "test ", 5) != 0))
		return false;
	end += strspn(end, "}\"'");
	end += strspn(end, " !=");
	return text_has_prefix(end, "\"\"") || text_has_prefix(end, "''");
}

/* Finds the next variable called …_PROG that LINE tests before END; NULL if there are no more. */
static const char *next_tested(const char *line, const char *at, const char *end,
			       char variable[static SHELL_WORD_SIZE], bool *present)
{
	static const char suffix[] = "_PROG";

	while ((at = strstr(at, suffix)) && at < end) {
		const char *start = at, *stop = at + strlen(suffix);
		size_t length;

		while (start > line && strchr(NAME_ALL "_", start[-1]))
			start--;
		at = stop;
		length = (size_t)(stop - start);
		if (strchr(NAME_ALL "_", *stop) && *stop)
			continue;
		if (length >= SHELL_WORD_SIZE || !is_tested(line, start, stop, present))
			continue;
		memcpy(variable, start, length);
		variable[length] = '\0';
		return at;
	}
	return NULL;
}

/* The call in LINE that ends a test or check, or NULL. */
static const char *find_refusal(const char *line)
{
	const char *refusal = strstr(line, "_notrun");

	return refusal ? refusal : strstr(line, "_fatal ");
}

/* "type -P jq >/dev/null || _notrun" */
static void scan_lookups(struct reader *r, const char *line, const char *refusal,
			 uint32_t filesystems)
{
	static const char *const forms[] = { "type -P ", "which ", "command -v ",
					     "_have_program " };
	char word[SHELL_WORD_SIZE];

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const char *at = strstr(line, forms[i]);

		if (!at || at > refusal || (at != line && !strchr(" (`", at[-1])))
			continue;
		at += strlen(forms[i]);
		if (shell_next_word(&at, word))
			scan_command(r, word, "", filesystems);
	}
}

/* An option that the message names: "requires CONFIG_XFS_DEBUG". */
static void scan_message(struct reader *r, const char *line, const char *message,
			 uint32_t filesystems)
{
	static const char without[] = "without ";

	for (const char *p = message; (p = strstr(p, "CONFIG_")); p += strlen("CONFIG_"))
		if (p - line < (ptrdiff_t)strlen(without) ||
		    strncmp(p - strlen(without), without, strlen(without)) != 0)
			add_kernel_option(r, p, filesystems);
}

static void scan_refusal(struct reader *r, const char *line, uint32_t filesystems)
{
	const char *refusal = find_refusal(line), *at = line;
	char variable[SHELL_WORD_SIZE];
	bool present = false;

	if (refusal && r->tested[0] && !r->present)
		scan_program(r, r->tested, filesystems, 0);
	r->tested[0] = '\0';
	r->present = false;
	if (refusal) {
		while ((at = next_tested(line, at, refusal, variable, &present)))
			scan_program(r, variable, filesystems, 0);
		scan_lookups(r, line, refusal, filesystems);
		scan_message(r, line, refusal, filesystems);
	} else if (text_has_prefix(line, "if ") &&
		   next_tested(line, line, line + strlen(line), variable, &present)) {
		snprintf(r->tested, sizeof(r->tested), "%s", variable);
		r->present = present;
	}
}

/* --- lines ---------------------------------------------------------------------------------- */

/* The call of NAME, of LENGTH characters, with the arguments at AT. */
static void scan_call(struct reader *r, const char *name, size_t length, uint32_t filesystems)
{
	char function[SHELL_WORD_SIZE];

	if (length >= sizeof(function))
		return;
	memcpy(function, name, length);
	function[length] = '\0';
	for (size_t i = 0; i < sizeof(asking_calls) / sizeof(*asking_calls); i++)
		if (strcmp(function, asking_calls[i].name) == 0)
			asking_calls[i].ask(r, name + length, filesystems);
	add_call(r, function, filesystems);
}

static void scan_calls(struct reader *r, const char *line, uint32_t filesystems)
{
	for (const char *p = line; (p = strchr(p, '_'));) {
		size_t length = shell_name_length(p);

		if (p == line || !strchr(NAME_ALL "_$-./{", p[-1]))
			scan_call(r, p, length, filesystems);
		p += length;
	}
}

/* ". ./common/dump" */
static void scan_source(struct reader *r, const char *line, uint32_t filesystems)
{
	const char *at = line + (line[0] == '.' ? 1 : strlen("source"));
	char word[SHELL_WORD_SIZE];
	const char *name;

	if ((!text_has_prefix(line, ". ") && !text_has_prefix(line, "source ")) ||
	    !shell_next_word(&at, word))
		return;
	name = strstr(word, "common/");
	if (name)
		add_call(r, name, filesystems);
}

static void scan_modules(struct reader *r, const char *line, uint32_t filesystems)
{
	static const char *const programs[] = { "modprobe ", "modinfo " };

	for (size_t i = 0; r->modules && i < sizeof(programs) / sizeof(*programs); i++) {
		const char *at = strstr(line, programs[i]);

		if (at && (at == line || strchr(" (;`", at[-1])))
			ask_module(r, at + strlen(programs[i]), filesystems);
	}
}

static void scan_line(struct reader *r, const char *line)
{
	uint32_t filesystems = shell_conditions_take(&r->conditions, line);

	scan_source(r, line, filesystems);
	scan_calls(r, line, filesystems);
	scan_refusal(r, line, filesystems);
	scan_modules(r, line, filesystems);
}

static void begin_piece(struct reader *r, size_t piece)
{
	r->piece = piece;
	r->scan->piece_number++;
	r->tested[0] = '\0';
	r->present = false;
	shell_conditions_reset(&r->conditions);
}

/* --- files ---------------------------------------------------------------------------------- */

/* Reads the name of the function that LINE begins. */
static bool read_function(const char *line, char function[static SHELL_WORD_SIZE])
{
	const char *name;
	size_t length = shell_function_name(line, &name);

	if (!length || length >= SHELL_WORD_SIZE)
		return false;
	memcpy(function, name, length);
	function[length] = '\0';
	return true;
}

void requirement_scan_names(struct requirement_scan *s, const char *name, const char *text)
{
	struct shell_lines lines = { .rest = text };
	struct shell_conditions conditions;
	char function[SHELL_WORD_SIZE];

	add_piece(s, name);
	shell_conditions_reset(&conditions);
	while (!s->failed && !s->excessive && shell_next_line(&lines)) {
		if (read_function(lines.line, function)) {
			add_piece(s, function);
			shell_conditions_reset(&conditions);
		}
		scan_assignment(s, lines.line, shell_conditions_take(&conditions, lines.line));
	}
}

void requirement_scan_file(struct requirement_scan *s, const char *name, const char *text)
{
	struct reader r = { .scan = s, .text = text, .lookups = LOOKUPS_MOST };
	struct shell_lines lines = { .rest = text };
	size_t file = find_piece(s, name);
	char function[SHELL_WORD_SIZE];

	begin_piece(&r, file);
	while (!s->failed && !s->excessive && shell_next_line(&lines)) {
		bool begins = read_function(lines.line, function);

		if (begins) {
			begin_piece(&r, find_piece(s, function));
			r.modules = text_has_prefix(function, "_require");
		}
		scan_line(&r, lines.line);
		if ((lines.at_margin && lines.line[0] == '}') ||
		    (begins && lines.line[strlen(lines.line) - 1] == '}')) {
			begin_piece(&r, file);
			r.modules = false;
		}
	}
}

void requirement_scan_test(struct requirement_scan *s, const char *text)
{
	struct reader r = { .scan = s, .text = text, .modules = true, .lookups = LOOKUPS_MOST };
	struct shell_lines lines = { .rest = text };

	s->pieces[0].needs.count = 0;
	s->pieces[0].calls.count = 0;
	begin_piece(&r, 0);
	while (!s->failed && !s->excessive && shell_next_line(&lines))
		scan_line(&r, lines.line);
}
