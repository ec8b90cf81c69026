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

const char shell_help[] =
	"usage: rootlet shell [--name NAME | --path DIR] [--user USER] [-- COMMAND [ARGUMENT…]]\n"
	"       rootlet chroot …  (the same)\n"
	"\n"
	"Runs a command (default: a login shell) in a rootfs, confined to a jail: it sees no\n"
	"files, processes or network of the host, and cannot mount.\n"
	"\n"
	"  --name NAME  name in ~/.kerneldev-mcp (default: test-rootfs)\n"
	"  --path DIR   path of a rootfs elsewhere\n"
	"  --user USER  user of the rootfs, by name or uid (default: root)\n"
	"  --color WHEN auto (default), always or never\n"
	"  --help\n"
	"\n"
	"Exit status: the command's own, or 128 + N if signal N killed it; 1 failed; 2 wrong\n"
	"command line; 5 the host lacks something; 6 the rootfs is being replaced or deleted.\n";

enum shell_option { OPTION_NAME = 256, OPTION_PATH, OPTION_USER };

const struct option shell_options[] = {
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "path", required_argument, NULL, OPTION_PATH },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
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
	static const char *const folders[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					       "/usr/bin",	  "/sbin",	    "/bin" };
	enum { FOLDERS = sizeof(folders) / sizeof(*folders) };
	_cleanup_free_ char *word = strdup(s->argv[0]);
	char paths[FOLDERS + 1][256], kinds[FOLDERS + 1];
	const char *asked[FOLDERS + 1];
	bool there = false;

	/* A command with a slash is a path, and not searched for. */
	snprintf(paths[0], sizeof(paths[0]), "%s%.250s", *s->argv[0] == '/' ? "" : "/", s->argv[0]);
	for (size_t i = 0; i < FOLDERS; i++)
		snprintf(paths[i + 1], sizeof(paths[0]), "%s/%.200s", folders[i], s->argv[0]);
	for (size_t i = 0; i <= FOLDERS; i++)
		asked[i] = paths[i];
	if (view_find(s->helper, s->rootfs, asked, FOLDERS + 1, kinds, NULL) < 0)
		return;
	for (size_t i = strchr(s->argv[0], '/') ? 0 : 1; i <= FOLDERS; i++)
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

int command_shell(int argc, char **argv)
{
	static char bash[] = "/bin/bash", login[] = "-l";
	char *default_argv[] = { bash, login, NULL };
	_cleanup_(shell_clear) struct shell s = { .user = "root", .directory = -1, .rootfs = -1 };
	_cleanup_error_ struct error *err = NULL;
	struct answer answer = { .fd = -1 };
	int option;

	/* "+": everything from the first non-option on belongs to the command. */
	while ((option = getopt_long(argc, argv, "+", shell_options, NULL)) != -1) {
		switch (option) {
		case OPTION_NAME:
			s.name = optarg;
			break;
		case OPTION_PATH:
			s.path = optarg;
			break;
		case OPTION_USER:
			s.user = optarg;
			break;
		}
	}
	s.argv = optind < argc ? argv + optind : default_argv;
	s.argc = optind < argc ? (size_t)(argc - optind) : 2;
	if (shell(&s, &answer, &err) < 0) {
		terminal_free(&s.terminal);
		return report_error(argv[0], err);
	}
	closep(&answer.fd);
	if (answer.status == NOT_FOUND)
		explain_missing(&s);
	return answer.status;
}
