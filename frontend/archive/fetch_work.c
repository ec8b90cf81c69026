#include "frontend/archive/fetch_work.h"

#include <fcntl.h>
#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/fetch_files.h"
#include "frontend/archive/fetch_packages.h"
#include "frontend/archive/fetch_programs.h"
#include "frontend/archive/fetch_releases.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"

/* Exits if the parent has gone: there is nothing left to do. */
static void must_send(const struct fetch_work *w, const struct fetch_message *message)
{
	if (fetch_message_send(w->channel, message, -1, NULL) < 0)
		_exit(0);
}

static void send_stage(const char *stage, void *context)
{
	struct fetch_message message = { .kind = FETCH_STAGE };

	snprintf(message.stage.text, sizeof(message.stage.text), "%s", stage);
	must_send(context, &message);
}

static void send_update(const uint64_t counts[static 4], void *context)
{
	struct fetch_message message = { .kind = FETCH_UPDATE };

	memcpy(&message.update, counts, sizeof(message.update));
	must_send(context, &message);
}

static void send_note(const char *line, void *context)
{
	struct fetch_message message = { .kind = FETCH_NOTE };

	snprintf(message.note.text, sizeof(message.note.text), "%s", line);
	must_send(context, &message);
}

/* The parent sends nothing but the reply until then. */
static int ask_parent(const char *host, uint16_t port, struct fetch_message *answer, void *context,
		      struct error **err)
{
	const struct fetch_work *w = context;
	struct fetch_message question = { .kind = FETCH_RESOLVE };
	int fd, r;

	question.resolve.port = port;
	snprintf(question.resolve.host, sizeof(question.resolve.host), "%s", host);
	must_send(w, &question);
	r = fetch_message_receive(w->channel, answer, &fd, err);
	if (r == 0)
		_exit(0);
	if (r < 0)
		return -1;
	return answer->kind == FETCH_ADDRESSES && answer->addresses.count <= FETCH_ADDRESSES_MAX
		       ? 0
		       : error_set(err, ERR_SYSTEM, "no reply from the front end");
}

/* Starts libcurl before the sandbox: it probes for IPv6 with a UDP socket and makes an AF_UNIX
 * socket pair, and the seccomp list allows neither. */
int fetch_work_prepare(int channel, void *context, struct error **err)
{
	struct fetch_work *w = context;

	w->channel = channel;
	w->tree = w->tree_path ? open(w->tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (w->tree_path && w->tree < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", w->tree_path);
	for (size_t i = 0; i < FETCH_POCKETS; i++)
		w->pockets[i].inrelease = -1;
	w->sink = (struct progress_sink){ send_stage, send_update, send_note, w };
	w->progress = progress_new_relay(&w->sink);
	if (!w->progress)
		return error_no_memory(err);
	w->downloader = downloader_new(ask_parent, w, w->channel, err);
	return w->downloader ? 0 : -1;
}

static int add_word(struct fetch_work *w, const struct fetch_message *m, struct error **err)
{
	struct work_words *words = &w->words[m->want.list < WANT_KINDS ? m->want.list : 0];

	return words_add(&words->list, &words->count, m->want.word) < 0 ? error_no_memory(err) : 0;
}

/* Sets *FD to -1 if it takes the descriptor. */
static int fetch_work_serve(struct fetch_work *w, const struct fetch_message *m, int *fd,
			    struct error **err)
{
	switch (m->kind) {
	case FETCH_RELEASES:
		return work_releases(w, m->releases.pockets, err);
	case FETCH_ACCEPT:
		return work_accept(w, m->accept.pocket, fd, err);
	case FETCH_DEB:
		return work_take_deb(w, *fd, err);
	case FETCH_CHOOSE:
		return work_choose(w, m, *fd, err);
	case FETCH_DOWNLOAD:
		return work_download(w, err);
	case FETCH_FILE:
		return work_file(w, m->file.path, err);
	case FETCH_PROGRAMS:
		return work_programs(w, m->programs.key, err);
	case FETCH_UNPACK:
		return work_unpack(w, m->package_number.package, err);
	default:
		return error_set(err, ERR_SYSTEM, "unknown request from the front end");
	}
}

static void send_result(struct fetch_work *w, int r, const struct error *error)
{
	struct fetch_message result = { .kind = FETCH_RESULT };

	progress_flush(w->progress);
	fetch_message_set_error(&result, r < 0, error);
	must_send(w, &result);
}

int fetch_work_run(int channel, void *context)
{
	struct fetch_work *w = context;
	struct fetch_message message;
	int fd;

	while (fetch_message_receive(channel, &message, &fd, NULL) > 0) {
		_cleanup_error_ struct error *err = NULL;
		int r;

		if (message.kind == FETCH_WANT) {
			if (add_word(w, &message, &err) < 0)
				return 1;
			continue;
		}
		r = fetch_work_serve(w, &message, &fd, &err);
		closep(&fd);
		send_result(w, r, err);
	}
	return 0;
}
