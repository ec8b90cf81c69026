#include "frontend/mcp/call.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/cli/events.h"
#include "frontend/mcp/brief.h"
#include "frontend/mcp/tools.h"
#include "lib/clock.h"

#define OUTPUT_KEPT 65536
#define DIAGNOSTICS_KEPT 4096
#define LINE_BYTES_MAX (64u << 20) /* all of fstests, with the output of tests that failed */

/* A cancelled call ends within a second. Its child has GRACE_MS to clean up. Then SIGUSR1 tells it
 * to leave that to the next command, for which it has HURRY_MS. */
#define GRACE_MS 600
#define HURRY_MS 100

/* The last MAX bytes of a text. */
struct tail {
	char *text;
	size_t length, max;
};

struct call {
	struct call *next;
	struct rpc_request request;
	const json_t *tool;
	call_answer_function *answer; /* NULL: with the result of a tool */
	json_t *arguments, *token;
	pid_t pid;
	int pidfd, out, error;
	int64_t began; /* seconds of the monotonic clock */
	struct tail line, output, diagnostics;
	bool line_too_long;
	json_t *result;
	char stage[80];
	double progress, stages;
	bool cancelled, hurried, killed;
	int64_t deadline; /* if cancelled: when to take the next step */
};

static const char *call_name_of(const struct call *c)
{
	return json_string_value(json_object_get(c->tool, "name"));
}

/* Returns false if bytes at the start were dropped. */
static bool tail_add(struct tail *t, const char *data, size_t size)
{
	size_t skipped = size > t->max ? size - t->max : 0, gone = 0;

	if (!t->text && !(t->text = calloc(1, t->max + 1)))
		return false;
	data += skipped;
	size -= skipped;
	if (t->length + size > t->max)
		gone = t->length + size - t->max;
	if (gone)
		memmove(t->text, t->text + gone, t->length - gone);
	memcpy(t->text + t->length - gone, data, size);
	t->length += size - gone;
	t->text[t->length] = '\0';
	return !skipped && !gone;
}

static void call_free(struct call *c)
{
	closep(&c->pidfd);
	closep(&c->out);
	closep(&c->error);
	free(c->line.text);
	free(c->output.text);
	free(c->diagnostics.text);
	json_decref(c->arguments);
	json_decref(c->token);
	json_decref(c->result);
	free(c);
}

/* --- events ------------------------------------------------------------------------------------
 */

/* Progress must grow with every notification: it is the number of stages, plus a share of this one.
 */
static void notify_progress(struct mcp_server *s, struct call *c, double share, const char *message)
{
	double progress = c->stages + share;

	if (!c->token)
		return;
	if (progress <= c->progress)
		progress = c->progress + 0.001;
	c->progress = progress;
	rpc_notify(s, "notifications/progress",
		   json_pack("{s:O, s:f, s:o}", "progressToken", c->token, "progress", progress,
			     "message", json_text(message)));
}

static void take_progress(struct mcp_server *s, struct call *c, const json_t *event)
{
	const char *stage = json_string_value(json_object_get(event, "stage"));
	json_int_t done = json_integer_value(json_object_get(event, "done"));
	json_int_t total = json_integer_value(json_object_get(event, "total"));
	const char *name = json_string_value(json_object_get(event, "name"));
	char message[160];

	if (stage && strncmp(c->stage, stage, sizeof(c->stage) - 1) != 0) {
		snprintf(c->stage, sizeof(c->stage), "%s", stage);
		c->stages++;
	}
	if (total > 0)
		snprintf(message, sizeof(message),
			 "%s %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT "%s%s", c->stage, done,
			 total, name ? " " : "", name ? name : "");
	else
		snprintf(message, sizeof(message), "%s", c->stage);
	notify_progress(s, c, total > 0 ? 0.9 * (double)done / (double)total : 0, message);
}

static void call_take_log(struct mcp_server *s, struct call *c, const json_t *event)
{
	const char *line = json_string_value(json_object_get(event, "line"));

	if (line)
		rpc_log(s, LEVEL_INFO, call_name_of(c), line);
}

/* A complaint of the kernel under test. */
static void take_kernel(struct mcp_server *s, struct call *c, const json_t *event)
{
	const char *line = json_string_value(json_object_get(event, "line"));

	if (line)
		rpc_log(s, LEVEL_WARNING, call_name_of(c), line);
}

static void call_take_output(struct mcp_server *s, struct call *c, const json_t *event)
{
	const char *text = json_string_value(json_object_get(event, "text"));

	if (!text)
		return;
	tail_add(&c->output, text, strlen(text));
	rpc_log(s, LEVEL_DEBUG, call_name_of(c), text);
}

static void take_test(struct mcp_server *s, struct call *c, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "name"));
	const char *status = json_string_value(json_object_get(event, "status"));
	char message[160];

	snprintf(message, sizeof(message), "%s: %s", name ? name : "?", status ? status : "?");
	notify_progress(s, c, 0, message);
}

static void call_take_result(struct mcp_server *s, struct call *c, const json_t *event)
{
	(void)s;
	json_decref(c->result);
	c->result = json_deep_copy(event);
}

static const struct {
	const char *event;
	void (*take)(struct mcp_server *s, struct call *c, const json_t *event);
} events[] = {
	{ "progress", take_progress }, { "log", call_take_log },  { "output", call_take_output },
	{ "test", take_test },	       { "kernel", take_kernel }, { "result", call_take_result },
};

/* A line without "event" is a document, which is the result. */
static void call_take_line(struct mcp_server *s, struct call *c, const char *line, size_t length)
{
	json_t *event = json_loadb(line, length, JSON_DECODE_ANY, NULL);
	const char *kind = json_string_value(json_object_get(event, "event"));

	if (event && !kind)
		call_take_result(s, c, event);
	for (size_t i = 0; kind && i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(kind, events[i].event) == 0)
			events[i].take(s, c, event);
	json_decref(event);
}

static void call_take_lines(struct mcp_server *s, struct call *c, const char *data, size_t size)
{
	while (size > 0) {
		const char *newline = memchr(data, '\n', size);
		size_t n = newline ? (size_t)(newline - data) : size;

		c->line_too_long = !tail_add(&c->line, data, n) || c->line_too_long;
		if (newline) {
			if (!c->line_too_long)
				call_take_line(s, c, c->line.text, c->line.length);
			c->line.length = 0;
			c->line_too_long = false;
		}
		n += newline != NULL;
		data += n;
		size -= n;
	}
}

/* --- result ------------------------------------------------------------------------------------
 */

static json_t *structured_content(struct call *c)
{
	const char *wrap = json_string_value(json_object_get(c->tool, "wrap"));

	if (wrap && json_is_array(c->result))
		return json_pack("{s:O}", wrap, c->result);
	if (!json_is_object(c->result))
		return NULL;
	brief_make(c->tool, c->result);
	if (c->output.length)
		json_object_set_new(c->result, "output", json_text(c->output.text));
	return json_incref(c->result);
}

static void call_answer(struct mcp_server *s, struct call *c, int status)
{
	struct call_ending e = {
		.tool = call_name_of(c),
		.arguments = c->arguments,
		.result = c->result,
		.output = c->output.text ? c->output.text : "",
		.diagnostics = c->diagnostics.text ? c->diagnostics.text : "",
		.status = status,
	};
	_cleanup_free_ char *text = NULL;
	json_t *structured, *result;
	bool failed;

	if (c->answer) {
		c->answer(s, &c->request, &e);
		return;
	}
	text = tool_text(&e);
	structured = structured_content(c);
	failed = !structured || json_object_get(structured, "error");
	result = json_pack("{s:[{s:s, s:o}], s:b}", "content", "type", "text", "text",
			   json_text(text ? text : "out of memory"), "isError", failed);
	if (structured)
		json_object_set_new(result, "structuredContent", structured);
	rpc_reply(s, &c->request, result);
}

/* --- children ----------------------------------------------------------------------------------
 */

/* Runs between fork and exec. When the server dies, the child gets the signal after which it cleans
 * up. */
static _Noreturn void child_exec(char *const *words, int out, int error, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	/* Our handlers would notify the server, whose eventfd the child still shares. */
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A process group of its own, so that only the server gets a Ctrl-C on a terminal. */
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent && null >= 0 &&
	    dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(error, STDERR_FILENO) >= 0)
		execv("/proc/self/exe", words);
	_exit(127);
}

static int call_spawn(struct call *c, char *const *words, struct error **err)
{
	_cleanup_close_ int out = -1, error = -1;
	int pipes[2][2];
	pid_t parent = getpid();
	sigset_t all, before;

	if (pipe2(pipes[0], O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
	c->out = pipes[0][0];
	out = pipes[0][1];
	if (pipe2(pipes[1], O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
	c->error = pipes[1][0];
	error = pipes[1][1];
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->error, F_SETFL, O_NONBLOCK);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	c->pid = fork();
	if (c->pid == 0)
		child_exec(words, out, error, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (c->pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start a process");
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd >= 0)
		return 0;
	error_errno(err, ERR_SYSTEM, "cannot watch a process");
	kill(c->pid, SIGTERM);
	RETRY_ON_EINTR(waitpid(c->pid, NULL, 0));
	return -1;
}

static void call_stop(struct call *c)
{
	if (c->cancelled)
		return;
	c->cancelled = true;
	c->deadline = clock_milliseconds() + GRACE_MS;
	kill(c->pid, SIGTERM);
}

/* The child did not exit in time. */
static void call_insist(struct call *c)
{
	if (c->hurried) {
		c->killed = true;
		kill(c->pid, SIGKILL);
		return;
	}
	c->hurried = true;
	c->deadline = clock_milliseconds() + HURRY_MS;
	kill(c->pid, SIGUSR1);
}

void call_start(struct mcp_server *s, struct rpc_request *r, const json_t *tool, json_t *arguments,
		json_t *token, call_answer_function *answer)
{
	struct call *c = calloc(1, sizeof(*c));
	_cleanup_error_ struct error *err = NULL;
	char **words = NULL;

	if (!c || s->call_count == CALLS_MAX) {
		rpc_reply_error(s, r, RPC_INTERNAL_ERROR, "%s",
				c ? "too many calls are in progress" : "out of memory");
		free(c);
		return;
	}
	*c = (struct call){
		.tool = tool,
		.answer = answer,
		.arguments = json_incref(arguments),
		.token = json_incref(token),
		.began = clock_seconds(),
		.pidfd = -1,
		.out = -1,
		.error = -1,
		.line.max = LINE_BYTES_MAX,
		.output.max = OUTPUT_KEPT,
		.diagnostics.max = DIAGNOSTICS_KEPT,
	};
	if (tool_words(tool, arguments, &words, &err) < 0 || call_spawn(c, words, &err) < 0) {
		rpc_reply_error(s, r, RPC_INTERNAL_ERROR, "%s", error_text(err));
		call_free(c);
	} else {
		c->request = *r;
		c->next = s->calls;
		s->calls = c;
		s->call_count++;
	}
	tool_words_free(&words);
}

static struct call *call_find(const struct mcp_server *s, const json_t *id)
{
	struct call *c = s->calls;

	while (c && !json_equal(c->request.id, id))
		c = c->next;
	return c;
}

bool call_exists(const struct mcp_server *s, const json_t *id)
{
	return call_find(s, id);
}

void call_cancel(struct mcp_server *s, const json_t *id)
{
	struct call *c = call_find(s, id);

	if (c)
		call_stop(c);
}

void call_cancel_all(struct mcp_server *s)
{
	for (struct call *c = s->calls; c; c = c->next)
		call_stop(c);
}

json_t *calls_end_vms(const struct mcp_server *s, bool force)
{
	json_t *ended = json_array();

	for (const struct call *c = s->calls; c; c = c->next) {
		if (!json_is_true(json_object_get(c->tool, "vm")))
			continue;
		kill(c->pid, force ? SIGKILL : SIGTERM);
		json_array_append_new(ended, json_pack("{s:s, s:I, s:I}", "tool", call_name_of(c),
						       "pid", (json_int_t)c->pid, "seconds",
						       (json_int_t)(clock_seconds() - c->began)));
	}
	return ended;
}

/* --- poll loop ---------------------------------------------------------------------------------
 */

size_t call_prepare(const struct mcp_server *s, struct pollfd *polled, bool listen)
{
	size_t count = 0;

	for (const struct call *c = s->calls; c; c = c->next) {
		polled[count++] = (struct pollfd){ .fd = listen ? c->out : -1, .events = POLLIN };
		polled[count++] = (struct pollfd){ .fd = listen ? c->error : -1, .events = POLLIN };
		polled[count++] = (struct pollfd){ .fd = listen ? c->pidfd : -1, .events = POLLIN };
	}
	return count;
}

int call_time_left(const struct mcp_server *s)
{
	int64_t least = -1;

	for (const struct call *c = s->calls; c; c = c->next) {
		int64_t left = c->deadline - clock_milliseconds();

		if (!c->cancelled || c->killed)
			continue;
		left = left > 0 ? left : 0;
		least = least < 0 || left < least ? left : least;
	}
	return (int)least;
}

/* Reads one block. Returns false if there is no more for now. */
static bool read_out(struct mcp_server *s, struct call *c)
{
	char data[16384];
	ssize_t n = c->out < 0 ? -1 : read(c->out, data, sizeof(data));

	if (n > 0)
		call_take_lines(s, c, data, (size_t)n);
	if (n == 0) {
		closep(&c->out);
		c->out = -1;
	}
	return n > 0;
}

static bool read_error(struct call *c)
{
	char data[4096];
	ssize_t n = c->error < 0 ? -1 : read(c->error, data, sizeof(data));

	if (n > 0)
		tail_add(&c->diagnostics, data, (size_t)n);
	if (n == 0) {
		closep(&c->error);
		c->error = -1;
	}
	return n > 0;
}

/* The child has exited. Reads what is left in its pipes, but does not wait for more, which a
 * process of its own might write. */
static void call_end(struct mcp_server *s, struct call *c)
{
	int status = 0;

	RETRY_ON_EINTR(waitpid(c->pid, &status, 0));
	while (read_out(s, c) || read_error(c))
		continue;
	if (c->cancelled)
		rpc_drop(s, &c->request);
	else
		call_answer(s, c, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	call_free(c);
	s->call_count--;
}

void call_serve(struct mcp_server *s, const struct pollfd *polled)
{
	struct call **link = &s->calls, *c;

	for (; (c = *link); polled += CALL_POLLED) {
		if (c->cancelled && !c->killed && clock_milliseconds() >= c->deadline)
			call_insist(c);
		if (polled[0].revents)
			read_out(s, c);
		if (polled[1].revents)
			read_error(c);
		if (polled[2].revents) {
			*link = c->next;
			call_end(s, c);
		} else {
			link = &c->next;
		}
	}
}
