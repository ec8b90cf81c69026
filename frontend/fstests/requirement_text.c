#include "frontend/fstests/requirement_text.h"

#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/requirement_programs.h"
#include "frontend/fstests/requirement_pieces.h"
#include "lib/names.h"

#define LOOKUPS_MOST 64 /* of a file's own variables */
#define MODULE_LENGTH 64
#define OPTION_LENGTH 80

/* --- calls that ask ------------------------------------------------------------------------- */

static void ask_command(struct requirement_reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE], name[SHELL_WORD_SIZE] = "";

	if (shell_next_word(&at, word)) {
		shell_next_word(&at, name);
		requirement_program_ask(r, word, name, filesystems);
	}
}

/* Adds the account that the call names, or the default of _require_user and _require_group. */
static void ask_account(struct requirement_reader *r, enum requirement_kind kind, const char *at,
			uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE];

	if (!shell_next_word(&at, word))
		snprintf(word, sizeof(word), "fsgqa");
	if (valid_account_name(word))
		requirement_add_need(r, kind, word, filesystems);
}

static void ask_user(struct requirement_reader *r, const char *at, uint32_t filesystems)
{
	ask_account(r, NEEDS_USER, at, filesystems);
}

static void ask_group(struct requirement_reader *r, const char *at, uint32_t filesystems)
{
	ask_account(r, NEEDS_GROUP, at, filesystems);
}

static void add_kernel_option(struct requirement_reader *r, const char *name, uint32_t filesystems)
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
	requirement_add_need(r, NEEDS_OPTION, strcmp(option, "DEBUGFS") == 0 ? "DEBUG_FS" : option,
			     filesystems);
}

static void ask_option(struct requirement_reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE];

	while (shell_next_word(&at, word))
		add_kernel_option(r, word, filesystems);
}

static void ask_module(struct requirement_reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE];

	if (shell_next_word(&at, word) && valid_name(word, MODULE_LENGTH, NAME_ALL, "_-"))
		requirement_add_need(r, NEEDS_MODULE, word, filesystems);
}

static void ask_target(struct requirement_reader *r, const char *at, uint32_t filesystems)
{
	char word[SHELL_WORD_SIZE], module[SHELL_WORD_SIZE + 3];

	if (!shell_next_word(&at, word) || !valid_name(word, MODULE_LENGTH, NAME_ALL, "-"))
		return;
	snprintf(module, sizeof(module), "dm-%s", word);
	requirement_add_need(r, NEEDS_MODULE, module, filesystems);
}

static const struct asking_call {
	const char *name;
	void (*ask)(struct requirement_reader *r, const char *at, uint32_t filesystems);
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
static void scan_lookups(struct requirement_reader *r, const char *line, const char *refusal,
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
			requirement_program_ask(r, word, "", filesystems);
	}
}

/* An option that the message names: "requires CONFIG_XFS_DEBUG". */
static void scan_message(struct requirement_reader *r, const char *line, const char *message,
			 uint32_t filesystems)
{
	static const char without[] = "without ";

	for (const char *p = message; (p = strstr(p, "CONFIG_")); p += strlen("CONFIG_"))
		if (p - line < (ptrdiff_t)strlen(without) ||
		    strncmp(p - strlen(without), without, strlen(without)) != 0)
			add_kernel_option(r, p, filesystems);
}

static void scan_refusal(struct requirement_reader *r, const char *line, uint32_t filesystems)
{
	const char *refusal = find_refusal(line), *at = line;
	char variable[SHELL_WORD_SIZE];
	bool present = false;

	if (refusal && r->tested[0] && !r->present)
		requirement_program_add(r, r->tested, filesystems);
	r->tested[0] = '\0';
	r->present = false;
	if (refusal) {
		while ((at = next_tested(line, at, refusal, variable, &present)))
			requirement_program_add(r, variable, filesystems);
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
static void scan_call(struct requirement_reader *r, const char *name, size_t length,
		      uint32_t filesystems)
{
	char function[SHELL_WORD_SIZE];

	if (length >= sizeof(function))
		return;
	memcpy(function, name, length);
	function[length] = '\0';
	for (size_t i = 0; i < sizeof(asking_calls) / sizeof(*asking_calls); i++)
		if (strcmp(function, asking_calls[i].name) == 0)
			asking_calls[i].ask(r, name + length, filesystems);
	requirement_add_call(r, function, filesystems);
}

static void scan_calls(struct requirement_reader *r, const char *line, uint32_t filesystems)
{
	for (const char *p = line; (p = strchr(p, '_'));) {
		size_t length = shell_name_length(p);

		if (p == line || !strchr(NAME_ALL "_$-./{", p[-1]))
			scan_call(r, p, length, filesystems);
		p += length;
	}
}

/* ". ./common/dump" */
static void scan_source(struct requirement_reader *r, const char *line, uint32_t filesystems)
{
	const char *at = line + (line[0] == '.' ? 1 : strlen("source"));
	char word[SHELL_WORD_SIZE];
	const char *name;

	if ((!text_has_prefix(line, ". ") && !text_has_prefix(line, "source ")) ||
	    !shell_next_word(&at, word))
		return;
	name = strstr(word, "common/");
	if (name)
		requirement_add_call(r, name, filesystems);
}

static void scan_modules(struct requirement_reader *r, const char *line, uint32_t filesystems)
{
	static const char *const programs[] = { "modprobe ", "modinfo " };

	for (size_t i = 0; r->modules && i < sizeof(programs) / sizeof(*programs); i++) {
		const char *at = strstr(line, programs[i]);

		if (at && (at == line || strchr(" (;`", at[-1])))
			ask_module(r, at + strlen(programs[i]), filesystems);
	}
}

static void scan_line(struct requirement_reader *r, const char *line)
{
	uint32_t filesystems = shell_conditions_take(&r->conditions, line);

	scan_source(r, line, filesystems);
	scan_calls(r, line, filesystems);
	scan_refusal(r, line, filesystems);
	scan_modules(r, line, filesystems);
}

static void begin_piece(struct requirement_reader *r, size_t piece)
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

	requirement_piece_add(s, name);
	shell_conditions_reset(&conditions);
	while (!s->failed && !s->excessive && shell_next_line(&lines)) {
		if (read_function(lines.line, function)) {
			requirement_piece_add(s, function);
			shell_conditions_reset(&conditions);
		}
		requirement_program_assign(s, lines.line,
					   shell_conditions_take(&conditions, lines.line));
	}
}

void requirement_scan_file(struct requirement_scan *s, const char *name, const char *text)
{
	struct requirement_reader r = { .scan = s, .text = text, .lookups = LOOKUPS_MOST };
	struct shell_lines lines = { .rest = text };
	size_t file = requirement_piece_find(s, name);
	char function[SHELL_WORD_SIZE];

	begin_piece(&r, file);
	while (!s->failed && !s->excessive && shell_next_line(&lines)) {
		bool begins = read_function(lines.line, function);

		if (begins) {
			begin_piece(&r, requirement_piece_find(s, function));
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
	struct requirement_reader r = {
		.scan = s, .text = text, .modules = true, .lookups = LOOKUPS_MOST
	};
	struct shell_lines lines = { .rest = text };

	s->pieces[0].needs.count = 0;
	s->pieces[0].calls.count = 0;
	begin_piece(&r, 0);
	while (!s->failed && !s->excessive && shell_next_line(&lines))
		scan_line(&r, lines.line);
}
