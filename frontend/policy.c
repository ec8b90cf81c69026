/* rootlet policy: what root's policy says, of a file or for the caller, and what is compiled in. */
#include <getopt.h>
#include <string.h>

#include "frontend/command.h"
#include "frontend/tree.h"
#include "policy/decide.h"
#include "policy/operations.h"
#include "policy/privilege_sets.h"

#define POLICY_BYTES_MAX (256 * 1024)
#define CALLS_WIDTH 92

static const char help[] =
	"usage: rootlet policy check [FILE]\n"
	"       rootlet policy show\n"
	"       rootlet policy seccomp\n\n"
	"check    says whether FILE (default: /etc/rootlet/policy.conf) is a right policy; errors\n"
	"         name the line\n"
	"show     which section of the policy is about you, what it allows, and your host ids\n"
	"seccomp  the system calls that each process of rootlet-helper may make, with its\n"
	"         capabilities, as they are compiled in\n\n"
	"Exit status: 0 done, or right; 1 failed, or show: nothing is allowed; 2 wrong command "
	"line, or\n"
	"a wrong policy; 5 the policy is not root's alone.\n";

static int check(const char *path, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!path) {
		if (policy_load(POLICY_PATH, true, &policy, err) < 0)
			return -1;
	} else {
		text = file_read(path, POLICY_BYTES_MAX, &size, err);
		if (!text)
			return -1;
		if (strlen(text) != size)
			return error_set(err, ERR_INPUT, "%s: has NUL bytes", path);
		if (policy_parse(path, text, &policy, err) < 0)
			return -1;
	}
	printf("%s is right: %zu section%s\n", policy->path, policy->rule_count,
	       policy->rule_count == 1 ? "" : "s");
	return EXIT_OK;
}

static void show_rule(const struct policy_rule *rule)
{
	const char *section, *preset, *name;

	for (size_t i = 0; (name = policy_key(i, &section, &preset)); i++) {
		_cleanup_free_ char *value = policy_rule_value(rule, i);

		if (value)
			printf("  %-14s %s\n", name, value);
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

static int show(struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct caller caller;
	struct grant g;

	if (policy_load(POLICY_PATH, false, &policy, err) < 0 || caller_self(&caller, err) < 0)
		return -1;
	if (!policy) {
		printf("There is no " POLICY_PATH
		       ": a rootlet-helper without privileges of its own\n"
		       "does everything for everybody, an installed one nothing for anybody.\n");
		return EXIT_OK;
	}
	grant_make(&g, policy, &caller);
	if (!g.rule) {
		printf("Nothing is allowed: no [allow …] section of %s names %s (uid %u) or a "
		       "group "
		       "of his.\n",
		       policy->path, caller.name, caller.uid);
		return EXIT_FAILED;
	}
	printf("%s (uid %u) is under [allow %s], line %u of %s, the first that names him\n",
	       caller.name, caller.uid, g.rule->name, g.rule->line, policy->path);
	show_rule(g.rule);
	show_ids(&g);
	printf("requests are recorded in: %s%s%s%s\n",
	       strcmp(policy->file, "none") == 0 ? "the caller's own file" : policy->file,
	       policy->journal ? ", the journal" : "", policy->syslog ? ", syslog" : "",
	       policy->required ? "; what cannot be recorded is not done" : "");
	return EXIT_OK;
}

/* The calls of one list, or the names of a set's capabilities, in lines of text. */
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

static void print_capabilities(uint64_t capabilities)
{
	static const char *const names[] = {
		"chown", "dac_override", "dac_read_search", "fowner",  "fsetid",
		"kill",	 "setgid",	 "setuid",	    "setpcap",
	};
	static const struct {
		unsigned number;
		const char *name;
	} more[] = { { 18, "sys_chroot" }, { 31, "setfcap" } };

	printf("  capabilities:%s", capabilities ? "" : " none");
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (capabilities >> i & 1)
			printf(" %s", names[i]);
	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
		if (capabilities >> more[i].number & 1)
			printf(" %s", more[i].name);
	printf("\n");
}

static void print_set(const struct privileges *p)
{
	size_t count = 0, width = 0;

	printf("%s\n", p->name);
	print_capabilities(p->capabilities);
	printf("  any other call: %s\n",
	       p->kill ? "ends the process" : "EPERM; ENOSYS where it is newer than the list");
	if (p->contained)
		printf("  narrowed: clone makes no namespace, clone3 is ENOSYS, socket is "
		       "AF_UNIX,\n"
		       "    no ioctl types into a terminal; calls that write to disk at once do "
		       "nothing\n");
	printf("  calls:\n   ");
	for (size_t i = 0; i < 4 && p->lists[i]; i++)
		for (const char *const *call = p->lists[i]; *call; call++, count++)
			print_word(*call, &width);
	printf("\n  %zu in all\n", count);
}

static int print_sets(void)
{
	for (size_t i = 0; i < PRIVILEGES_COUNT; i++)
		print_set(&privilege_sets[i]);
	return EXIT_OK;
}

int command_policy(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	_cleanup_error_ struct error *err = NULL;
	const char *verb;
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (option != 'h')
			return report_option(argv[0], option, argv);
		fputs(help, stdout);
		return EXIT_OK;
	}
	verb = optind < argc ? argv[optind++] : "";
	if (optind + (strcmp(verb, "check") == 0) < argc)
		return report_usage(argv[0], "\"%.80s\" is one word too many", argv[argc - 1]);
	if (strcmp(verb, "check") == 0)
		status = check(argv[optind], &err);
	else if (strcmp(verb, "show") == 0)
		status = show(&err);
	else if (strcmp(verb, "seccomp") == 0)
		status = print_sets();
	else
		return report_usage(argv[0], "say check, show or seccomp");
	return status < 0 ? report_error(argv[0], err) : status;
}
