/* rootlet policy: checks a policy, and shows what it allows the caller and which system calls and
 * capabilities are compiled in. */
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/cli/tree.h"
#include "frontend/client/client.h"
#include "frontend/commands/commands.h"
#include "policy/grant.h"
#include "policy/policy_text.h"
#include "policy/privilege_rules.h"

#define POLICY_BYTES_MAX (256 * 1024)
#define CALLS_WIDTH 92

enum { VERB_CHECK = OPTION_OWN, VERB_SHOW, VERB_SECCOMP };

static const struct option_row policy_rows[] = {
	{ "check", "[FILE]", VERB_CHECK, "find errors in FILE (default: " POLICY_PATH ")" },
	{ "show", NULL, VERB_SHOW,
	  "show the policy section that applies to you, what it allows, and your host ids" },
	{ "seccomp", NULL, VERB_SECCOMP,
	  "show the system calls and capabilities that each process of rootlet-helper is compiled "
	  "to have" },
	JSON_ROW("JSON output: an array for seccomp, otherwise an object"),
	{ NULL },
};

static size_t policy_sections(const struct policy *policy)
{
	size_t count = 0;

	for (const struct policy_rule *rule = policy->rules; rule; rule = rule->next)
		count++;
	return count;
}

static int policy_check(const char *path, bool json, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!path) {
		/* A helper without privileges needs no policy. */
		if (policy_load(POLICY_PATH, helper_is_installed(), &policy, err) < 0)
			return -1;
	} else {
		text = file_read(path, POLICY_BYTES_MAX, &size, err);
		if (!text)
			return -1;
		if (strlen(text) != size)
			return error_set(err, ERR_INPUT, "%s: contains NUL bytes", path);
		if (policy_parse(path, text, &policy, err) < 0)
			return -1;
	}
	if (json)
		document_print(json_pack("{s:o, s:I}", "path", json_text(policy->path), "sections",
					 (json_int_t)(policy->path ? policy_sections(policy) : 0)));
	else if (!policy->path)
		printf("There is no " POLICY_PATH
		       ", and rootlet-helper has no privileges of its own:\n"
		       "everything is allowed.\n");
	else
		printf("%s is valid: %zu section%s\n", policy->path, policy_sections(policy),
		       policy_sections(policy) == 1 ? "" : "s");
	return EXIT_OK;
}

/* --- show --- */

static void show_rule(const struct policy_rule *rule)
{
	for (size_t i = 0; i < policy_key_count; i++) {
		_cleanup_free_ char *value = policy_rule_value(rule, &policy_keys[i]);

		if (value)
			printf("  %-14s %s\n", policy_keys[i].name, value);
	}
}

static void show_ids(const struct grant *g)
{
	_cleanup_error_ struct error *err = NULL;
	uint32_t first;

	if (policy_range(g, &first, &err) < 0)
		printf("host ids of an installed rootlet-helper: none: %s\n", err->message);
	else
		printf("host ids of an installed rootlet-helper: %u to %u\n", first,
		       first + POLICY_RANGE - 1);
}

static void print_grant(const struct policy *policy, const struct grant *g)
{
	if (!policy->path) {
		printf("There is no " POLICY_PATH
		       ": a rootlet-helper without privileges of its own\n"
		       "does everything for everybody, an installed one nothing for anybody.\n");
		return;
	}
	if (!g->rule) {
		style_print(
			stdout, STYLE_PLAIN,
			"Nothing is allowed: no [allow …] section of %s names %s (uid %u) or one "
			"of their groups.\n",
			policy->path, g->caller.name, g->caller.uid);
		return;
	}
	printf("%s (uid %u) is under [allow %s], line %u of %s, the first that names them\n",
	       g->caller.name, g->caller.uid, g->rule->name, g->rule->line, policy->path);
	show_rule(g->rule);
	show_ids(g);
	printf("requests are recorded in: %s%s%s%s\n",
	       strcmp(policy->file, "none") == 0 ? "the caller's own file" : policy->file,
	       policy->journal ? ", the journal" : "", policy->syslog ? ", syslog" : "",
	       policy->required ? "; requests that cannot be recorded are refused" : "");
}

static json_t *describe_rule(const struct policy_rule *rule)
{
	json_t *values = json_object();

	for (size_t i = 0; i < policy_key_count; i++) {
		_cleanup_free_ char *value = policy_rule_value(rule, &policy_keys[i]);

		if (value)
			json_object_set_new(values, policy_keys[i].name, json_text(value));
	}
	return values;
}

static json_t *describe_grant(const struct policy *policy, const struct grant *g)
{
	const struct policy_rule *rule = policy->path ? g->rule : NULL;
	uint32_t first;
	bool ids = rule && policy_range(g, &first, NULL) == 0;

	return json_pack("{s:o, s:o, s:I, s:b, s:o, s:o, s:o, s:o, s:{s:o, s:b, s:b, s:b}}", "path",
			 json_text(policy->path), "user", json_text(g->caller.name), "uid",
			 (json_int_t)g->caller.uid, "allowed", g->rule != NULL, "section",
			 json_text(rule ? rule->name : NULL), "line",
			 rule ? json_integer(rule->line) : json_null(), "allows",
			 rule ? describe_rule(rule) : json_object(), "first_id",
			 ids ? json_integer(first) : json_null(), "record", "file",
			 json_text(strcmp(policy->file, "none") == 0 ? NULL : policy->file),
			 "journal", policy->journal, "syslog", policy->syslog, "required",
			 policy->required);
}

static int policy_show(const char *path, bool json, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct caller caller;
	struct grant g;

	(void)path;
	if (policy_load(POLICY_PATH, false, &policy, err) < 0 ||
	    caller_self(&caller, NULL, err) < 0)
		return -1;
	if (grant_make(&g, policy, &caller, err) < 0)
		return -1;
	if (json)
		document_print(describe_grant(policy, &g));
	else
		print_grant(policy, &g);
	return g.rule ? EXIT_OK : EXIT_FAILED;
}

/* --- seccomp --- */

/* Prints WORD on this line, or on a new one if it does not fit. */
static void print_word(const char *word, size_t *width)
{
	size_t length = strlen(word) + 1;

	if (*width + length > CALLS_WIDTH) {
		printf("\n   ");
		*width = 0;
	}
	printf(" %s", word);
	*width += length;
}

/* The capabilities that a set may hold. Numbers: linux/capability.h. */
static const struct {
	unsigned number;
	const char *name;
} capabilities[] = {
	{ 0, "chown" },	  { 1, "dac_override" }, { 2, "dac_read_search" }, { 3, "fowner" },
	{ 4, "fsetid" },  { 5, "kill" },	 { 6, "setgid" },	   { 7, "setuid" },
	{ 8, "setpcap" }, { 18, "sys_chroot" },	 { 31, "setfcap" },
};

#define CAPABILITIES (sizeof(capabilities) / sizeof(*capabilities))

static void print_capabilities(uint64_t set)
{
	printf("  capabilities:%s", set ? "" : " none");
	for (size_t i = 0; i < CAPABILITIES; i++)
		if (set >> capabilities[i].number & 1)
			printf(" %s", capabilities[i].name);
	printf("\n");
}

/* Calls EACH for every argument that P restricts. */
static void for_each_argument(const struct privileges *p,
			      void (*each)(const struct privileges *p,
					   const struct argument_rule *rule, json_t *into),
			      json_t *into)
{
	for (const struct call_list *const *list = privileges_lists(p); *list; list++)
		for (const struct argument_rule *r = (*list)->arguments; r->call; r++)
			if (privileges_is_first(p, r))
				each(p, r, into);
}

static void print_argument(const struct privileges *p, const struct argument_rule *rule,
			   json_t *into)
{
	size_t width = 0;

	(void)into;
	printf("  %s, argument %u, %s\n   ", rule->call, rule->argument + 1,
	       rule->bits ? "only the bits" : "one of");
	for (const struct call_list *const *list = privileges_lists(p); *list; list++) {
		const struct argument_rule *r = privileges_rule(*list, rule);

		for (const struct argument_value *v = r ? r->values : NULL; v && v->name; v++)
			print_word(v->name, &width);
	}
	printf("\n");
}

static void describe_argument(const struct privileges *p, const struct argument_rule *rule,
			      json_t *into)
{
	json_t *values = json_object();

	for (const struct call_list *const *list = privileges_lists(p); *list; list++) {
		const struct argument_rule *r = privileges_rule(*list, rule);

		for (const struct argument_value *v = r ? r->values : NULL; v && v->name; v++)
			json_object_set_new(values, v->name, json_integer(v->value));
	}
	json_array_append_new(into, json_pack("{s:s, s:i, s:s, s:o}", "call", rule->call,
					      "argument", (int)rule->argument, "takes",
					      rule->bits ? "bits" : "values", "values", values));
}

static void print_set(const struct privileges *p)
{
	size_t count = 0, width = 0;

	printf("%s\n", p->name);
	print_capabilities(p->capabilities);
	printf("  any other call: %s\n",
	       p->kill ? "ends the process" : "EPERM, or ENOSYS if it is newer than the list");
	if (p->contained)
		printf("  calls that flush to disk, and core limits, do nothing\n");
	printf("  calls:\n   ");
	for (const struct call_list *const *list = privileges_lists(p); *list; list++)
		for (const char *const *call = (*list)->calls; *call; call++, count++)
			print_word(*call, &width);
	printf("\n  %zu in all\n", count);
	for_each_argument(p, print_argument, NULL);
}

static json_t *describe_set(const struct privileges *p)
{
	json_t *calls = json_array(), *held = json_array(), *arguments = json_array();

	for (size_t i = 0; i < CAPABILITIES; i++)
		if (p->capabilities >> capabilities[i].number & 1)
			json_array_append_new(held, json_string(capabilities[i].name));
	for (const struct call_list *const *list = privileges_lists(p); *list; list++)
		for (const char *const *call = (*list)->calls; *call; call++)
			json_array_append_new(calls, json_string(*call));
	for_each_argument(p, describe_argument, arguments);
	return json_pack("{s:s, s:o, s:s, s:b, s:o, s:o}", "process", p->name, "capabilities", held,
			 "otherwise", p->kill ? "kill" : "error", "without_sync", p->contained,
			 "calls", calls, "arguments", arguments);
}

static int show_sets(const char *path, bool json, struct error **err)
{
	json_t *sets = json ? json_array() : NULL;

	(void)path;
	(void)err;
	for (size_t i = 0; i < PRIVILEGES_COUNT; i++)
		if (json)
			json_array_append_new(sets, describe_set(&privilege_sets[i]));
		else
			print_set(&privilege_sets[i]);
	if (json)
		document_print(sets);
	return EXIT_OK;
}

static int command_policy(const struct parsed_line *line)
{
	int (*run)(const char *path, bool json, struct error **err) =
		line->verb == VERB_CHECK  ? policy_check
		: line->verb == VERB_SHOW ? policy_show
					  : show_sets;
	_cleanup_error_ struct error *err = NULL;
	bool json = line_has(line, OPTION_JSON);
	int status = run(line->operands[0], json, &err);

	if (status >= 0)
		return status;
	status = report_error(line->name, err);
	return json ? document_failure(err, status) : status;
}

const struct command policy_command = {
	.name = "policy",
	.summary = "check and show what an administrator allows",
	.about = "Shows what an administrator allows rootlet-helper to do: see man "
		 "rootlet-policy.conf.",
	.statuses = "0 shown, or valid; 1 failed, or show: nothing is allowed; 2 wrong command "
		    "line, or the policy is not valid; 5 the policy can be written by users other "
		    "than root.",
	.rows = policy_rows,
	.run = command_policy,
};
