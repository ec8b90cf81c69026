/* rootlet shell (and chroot): runs a command in a jail inside a rootfs. */
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/client/view.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/shell_terminal.h"
#include "frontend/rootfs/store.h"
#include "proto/validate.h"

#define NOT_FOUND 127 /* what a shell returns for a missing command */

enum { OPTION_USER = OPTION_OWN };

static const struct option_row shell_rows[] = {
	ROOTFS_ROWS,
	{ "--user", "USER", OPTION_USER, "user of the rootfs, by name or uid", .fallback = "root" },
	{ NULL },
};

struct shell {
	const char *name, *path, *user;
	char **argv;
	size_t argc;
	int directory, rootfs; /* as found (O_PATH), and as opened */
	char *absolute;
	char *account; /* the user's name */
	struct helper *helper;
	struct terminal *terminal;
};

static void shell_clear(struct shell *s)
{
	terminal_free(&s->terminal);
	helper_stop(&s->helper);
	closep(&s->directory);
	closep(&s->rootfs);
	free(s->absolute);
	free(s->account);
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static int shell_check_words(const struct shell *s, struct error **err)
{
	size_t bytes = 0;

	if (strcmp(s->user, "root") != 0 && !valid_account_name(s->user) && !is_number(s->user))
		return error_set(err, ERR_INPUT, "invalid user name \"%.80s\"", s->user);
	for (size_t i = 0; i < s->argc; i++)
		bytes += strlen(s->argv[i]) + 1;
	if (s->argc > ARGV_MAX || bytes > WORDS_BYTES_MAX)
		return error_set(err, ERR_INPUT,
				 "the command has %zu words and %zu bytes, the limits are %d and "
				 "%d; put it in a script in the rootfs",
				 s->argc, bytes, ARGV_MAX, WORDS_BYTES_MAX);
	return 0;
}

/* If LINE of passwd(5) is for USER, a name or uid, returns the name, which the caller frees; else
 * NULL. */
static char *match_user(const char *line, const char *user)
{
	size_t name = strcspn(line, ":\n"), length = strlen(user);
	const char *password = line + name + (line[name] == ':');
	const char *id = password + strcspn(password, ":\n");

	id += *id == ':';
	if ((length == name && strncmp(line, user, name) == 0) ||
	    (strncmp(id, user, length) == 0 && id[length] == ':'))
		return strndup(line, name);
	return NULL;
}

/* The helper looks the name up too. This finds a missing user before a jail is set up. */
static int find_user(struct shell *s, struct error **err)
{
	_cleanup_free_ char *passwd = view_read(s->helper, s->rootfs, "passwd", NULL, err);

	if (!passwd)
		return -1;
	for (const char *line = passwd; *line && !s->account;
	     line += strcspn(line, "\n"), line += *line != '\0')
		s->account = match_user(line, s->user);
	if (s->account && valid_account_name(s->account))
		return 0;
	return error_set(err, ERR_MISSING, "the rootfs at %s has no user %s; see: rootlet check",
			 s->absolute, s->user);
}

static int execute(struct shell *s, struct answer *answer, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Execute message = ROOTLET__EXECUTE__INIT;
	int fds[4] = { s->rootfs };
	bool controlling = false;

	if (terminal_new(&s->terminal, fds + 1, &controlling, err) < 0)
		return -1;
	message.argv = s->argv;
	message.n_argv = s->argc;
	message.user = s->account;
	message.terminal = controlling;
	request.kind_case = ROOTLET__REQUEST__KIND_EXECUTE;
	request.execute = &message;
	if (helper_send(s->helper, &request, fds, 4, err) < 0)
		return -1;
	return terminal_relay(s->terminal, s->helper, answer, err);
}

/* Explains status 127 if the command is missing: nothing else has printed an error. A command that
 * exists may return 127 for reasons of its own. */
static void explain_missing(struct shell *s)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					    "/usr/bin",	       "/sbin",		 "/bin" };
	enum { DIRS = sizeof(dirs) / sizeof(*dirs) };
	_cleanup_free_ char *word = strdup(s->argv[0]);
	char paths[DIRS + 1][256], kinds[DIRS + 1];
	const char *asked[DIRS + 1];
	bool there = false;

	/* A command with a slash is a path, and not searched for. */
	snprintf(paths[0], sizeof(paths[0]), "%s%.250s", *s->argv[0] == '/' ? "" : "/", s->argv[0]);
	for (size_t i = 0; i < DIRS; i++)
		snprintf(paths[i + 1], sizeof(paths[0]), "%s/%.200s", dirs[i], s->argv[0]);
	for (size_t i = 0; i <= DIRS; i++)
		asked[i] = paths[i];
	if (view_find(s->helper, s->rootfs, asked, DIRS + 1, kinds, NULL) < 0)
		return;
	for (size_t i = strchr(s->argv[0], '/') ? 0 : 1; i <= DIRS; i++)
		there = there || kinds[i] != '-';
	if (!there)
		fprintf(stderr,
			"rootlet shell: there is no command %s in the rootfs at %s; to add its "
			"package, run: rootlet create --force --include PACKAGE\n",
			word ? text_clean(word) : "", s->absolute);
}

static int shell(struct shell *s, struct answer *answer, struct error **err)
{
	if (shell_check_words(s, err) < 0 ||
	    store_find(s->name, s->path, &s->directory, &s->absolute, err) < 0)
		return -1;
	interrupt_catch();
	if (helper_start("shell", NULL, &s->helper, err) < 0 ||
	    store_open(s->helper, s->directory, s->absolute, &s->rootfs, NULL, err) < 0)
		return -1;
	if (flock(s->rootfs, LOCK_SH | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "the rootfs at %s is being replaced or removed",
				 s->absolute);
	if (find_user(s, err) < 0)
		return -1;
	return execute(s, answer, err);
}

static int command_shell(const struct parsed_line *line)
{
	static char bash[] = "/bin/bash", login[] = "-l";
	char *default_argv[] = { bash, login, NULL };
	bool given = line->operand_count > 0;
	_cleanup_(shell_clear) struct shell s = {
		.name = line_value(line, OPTION_NAME),
		.path = line_value(line, OPTION_PATH),
		.user = line_value(line, OPTION_USER),
		.argv = given ? line->operands : default_argv,
		.argc = given ? (size_t)line->operand_count : 2,
		.directory = -1,
		.rootfs = -1,
	};
	_cleanup_error_ struct error *err = NULL;
	struct answer answer = { .fd = -1 };

	if (shell(&s, &answer, &err) < 0) {
		terminal_free(&s.terminal);
		return report_error(line->name, err);
	}
	closep(&answer.fd);
	if (answer.status == NOT_FOUND)
		explain_missing(&s);
	return answer.status;
}

#define SHELL_HELP                                                                                 \
	.about = "Runs a command (default: a login shell) in a rootfs, confined to a jail: it "    \
		 "sees no files, processes or network of the host, and cannot mount. rootlet "     \
		 "shell and rootlet chroot are the same.",                                         \
	.statuses = "the command's own, or 128 + N if signal N killed it; 1 failed; 2 wrong "      \
		    "command line; 5 the host lacks something; 6 the rootfs is being replaced or " \
		    "deleted.",                                                                    \
	.operands = "[-- COMMAND [ARGUMENT…]]", .rows = shell_rows, .run = command_shell

const struct command shell_command = {
	.name = "shell",
	.summary = "run a command in a jail inside a rootfs",
	SHELL_HELP,
};

const struct command chroot_command = {
	.name = "chroot",
	.summary = "the same as shell",
	SHELL_HELP,
};
