#include "frontend/archive/fetch_client.h"

#include <poll.h>
#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/host_lookup.h"
#include "frontend/archive/package_set.h"
#include "frontend/archive/package_words.h"
#include "frontend/archive/url_route.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/word_list.h"
#include "lib/error_wrap.h"

#define INRELEASE_MAX (16 * 1024 * 1024)

int fetch_nonsense(const char *what, struct error **err)
{
	return error_set(err, ERR_SYSTEM, "the fetch process sent an invalid message: %s", what);
}

static int take_release(struct fetch *f, const struct fetch_message *m, int *fd, struct error **err)
{
	struct arrived_release *release;
	bool security = m->release.pocket == 2;

	if (m->release.pocket >= FETCH_POCKETS || m->release.missing > 1 ||
	    !f->releases[m->release.pocket].asked || f->releases[m->release.pocket].here)
		return fetch_nonsense("release file", err);
	release = &f->releases[m->release.pocket];
	if (m->release.missing ? pockets_required(m->release.pocket) || *fd >= 0
			       : !fetch_is_sealed(*fd, INRELEASE_MAX))
		return fetch_nonsense("release file", err);
	if (m->release.url && (!security || m->release.url >= SOURCE_POCKET_MIRRORS ||
			       !f->origin->security[m->release.url]))
		return fetch_nonsense("mirror of a release file", err);
	release->here = true;
	release->url = m->release.url;
	release->fd = steal_fd(fd);
	return 0;
}

static bool has_component(const struct origin *o, uint32_t number, const char *component)
{
	for (char *const *one = pockets_components(o, number); *one; one++)
		if (strcmp(*one, component) == 0)
			return true;
	return false;
}

static bool pocket_has_index(const struct pocket *pocket, const char *component)
{
	for (size_t i = 0; i < pocket->index_count; i++)
		if (strcmp(pocket->indexes[i].component, component) == 0)
			return true;
	return false;
}

static int take_index(struct fetch *f, const struct fetch_message *m, struct error **err)
{
	struct pocket *pocket =
		m->index.pocket < FETCH_POCKETS ? f->numbered[m->index.pocket] : NULL;
	_cleanup_free_ char *path = cache_file(f->indexes, m->index.sha256, err);
	_cleanup_free_ char *kept = cache_file(f->kept, m->index.sha256, err);

	if (!path || !kept)
		return -1;
	if (!f->wanted || !pocket ||
	    !has_component(f->origin, m->index.pocket, m->index.component) ||
	    pocket_has_index(pocket, m->index.component))
		return fetch_nonsense("package list", err);
	/* The sandbox denies this call, as it would accept any path. */
	cache_touch(path);
	cache_touch(kept);
	return pocket_add_index(pocket, m->index.component, path, m->index.sha256, err);
}

static bool was_optional(const struct wanted *wanted, const char *word)
{
	for (const char *const *one = wanted->optional; one && *one; one++)
		if (strcmp(*one, word) == 0)
			return true;
	return false;
}

static int fetch_take_left_out(struct fetch *f, const struct fetch_message *m, struct error **err)
{
	size_t count = 0;

	while (f->set->left_out && f->set->left_out[count])
		count++;
	if (!f->wanted || !was_optional(f->wanted, m->left_out.word))
		return fetch_nonsense("omitted package", err);
	return words_add(&f->set->left_out, &count, m->left_out.word) < 0 ? error_no_memory(err)
									  : 0;
}

static bool is_pocket(const struct fetch *f, uint32_t number)
{
	return number < FETCH_POCKETS ? f->numbered[number] != NULL
				      : number == FETCH_LOCAL && f->wanted->debs;
}

static int fetch_take_package(struct fetch *f, const struct fetch_message *m, struct error **err)
{
	if (!f->wanted || !valid_package_name(m->package.name) ||
	    !valid_package_version(m->package.version) || !valid_archive_word(m->package.arch) ||
	    !is_pocket(f, m->package.pocket) || !valid_package_name(m->package.source) ||
	    !valid_package_version(m->package.source_version) ||
	    f->set->package_count >= PACKAGES_MAX)
		return fetch_nonsense("package", err);
	return package_set_add(
		f->set, m,
		m->package.pocket < FETCH_POCKETS ? f->numbered[m->package.pocket] : NULL, err);
}

static int fetch_take_removed(struct fetch *f, const struct fetch_message *m, struct error **err)
{
	size_t count = 0;

	while (f->set->removed && f->set->removed[count])
		count++;
	if (!f->wanted || !valid_package_name(m->removed.name) || count >= PACKAGES_MAX)
		return fetch_nonsense("removed package", err);
	return words_add(&f->set->removed, &count, m->removed.name) < 0 ? error_no_memory(err) : 0;
}

static int take_arrived(struct fetch *f, const struct fetch_message *m, struct error **err)
{
	struct package *package = m->package_number.package < f->set->package_count
					  ? &f->set->packages[m->package_number.package]
					  : NULL;

	if (!package || package->path)
		return fetch_nonsense("arrived package", err);
	package->path = cache_file(f->packages, package->sha256, err);
	if (!package->path)
		return -1;
	cache_touch(package->path);
	return f->done ? f->done(package, f->context, err) : 0;
}

static bool is_planned(const struct fetch *f, uint32_t port)
{
	for (size_t i = 0; i < f->sandbox.port_count; i++)
		if (f->sandbox.ports[i] == port)
			return true;
	return false;
}

static int answer_resolve(struct fetch *f, const struct fetch_message *m, struct error **err)
{
	struct fetch_message answer = { .kind = FETCH_ADDRESSES };

	if (!url_host_is_valid(m->resolve.host))
		return fetch_nonsense("host name", err);
	if (!is_planned(f, m->resolve.port)) {
		answer.addresses.code = ERR_REFUSED;
		snprintf(answer.addresses.why, sizeof(answer.addresses.why),
			 "port %u of %.40s is not that of a mirror or proxy", m->resolve.port,
			 m->resolve.host);
	} else if (host_lookup(m->resolve.host, (uint16_t)m->resolve.port, &answer, err) < 0) {
		return -1;
	}
	return fetch_message_send(f->process.channel, &answer, -1, err);
}

static int fetch_take_result(struct fetch *f, const struct fetch_message *m, struct error **err)
{
	f->answered = true;
	if (m->result.code == ERR_NONE)
		return 1;
	error_set(err, m->result.code <= ERR_LAST ? (enum error_code)m->result.code : ERR_SYSTEM,
		  "%s", *m->result.text ? m->result.text : "the fetch process gave no reason");
	return -1;
}

/* Returns 1 for the result, 0 for any message before it, -1 with ERR set. Sets *FD to -1 if it
 * takes the descriptor. */
static int fetch_take_message(struct fetch *f, const struct fetch_message *m, int *fd,
			      struct error **err)
{
	switch (m->kind) {
	case FETCH_RESULT:
		return fetch_take_result(f, m, err);
	case FETCH_STAGE:
		progress_stage(f->progress, m->stage.text);
		return 0;
	case FETCH_UPDATE:
		progress_update(f->progress, m->update.items, m->update.items_total,
				m->update.bytes, m->update.bytes_total);
		return 0;
	case FETCH_NOTE:
		progress_note(f->progress, "%s", m->note.text);
		return 0;
	case FETCH_RESOLVE:
		return answer_resolve(f, m, err);
	case FETCH_RELEASE:
		return take_release(f, m, fd, err);
	case FETCH_FACTS:
		f->facts = *m;
		return 0;
	case FETCH_INDEX:
		return take_index(f, m, err);
	case FETCH_LEFT_OUT:
		return fetch_take_left_out(f, m, err);
	case FETCH_PACKAGE:
		return fetch_take_package(f, m, err);
	case FETCH_REMOVED:
		return fetch_take_removed(f, m, err);
	case FETCH_ARRIVED:
		return take_arrived(f, m, err);
	default:
		return fetch_nonsense("unknown kind", err);
	}
}

/* Waits for a message, or fails with ERR_INTERRUPTED if the user interrupts. */
static int wait_for_message(const struct fetch *f, struct error **err)
{
	struct pollfd fds[] = {
		{ .fd = f->process.channel, .events = POLLIN },
		{ .fd = interrupt_fd(), .events = POLLIN },
		{ .fd = interrupt_watched(), .events = POLLIN },
	};

	for (;;) {
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted while downloading");
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return error_errno(err, ERR_SYSTEM, "cannot wait for the fetch process");
		if (interrupt_caught())
			continue;
		if (fds[2].revents)
			return error_set(err, ERR_SYSTEM,
					 "download stopped: rootlet-helper was killed; see: "
					 "journalctl -k");
		if (fds[0].revents)
			return 0;
	}
}

/* Handles one message. */
static int fetch_serve(struct fetch *f, struct error **err)
{
	_cleanup_close_ int fd = -1;
	struct fetch_message message;
	int r = wait_for_message(f, err);

	if (r < 0)
		return -1;
	r = fetch_message_receive(f->process.channel, &message, &fd, err);
	if (r < 0 && err && *err && (*err)->code == ERR_INPUT)
		(*err)->code = ERR_SYSTEM;
	if (r < 0)
		return error_wrap(err, "the fetch process sent an invalid message");
	if (r == 0)
		return fetch_process_lost(fetch_process_stop(&f->process), err);
	return fetch_take_message(f, &message, &fd, err);
}

/* Sends REQUEST and serves the process up to its result. Stops a process that is no longer usable.
 */
int fetch_ask_with(struct fetch *f, const struct fetch_message *request, int fd, struct error **err)
{
	_cleanup_error_ struct error *gone = NULL;
	int r = 0;

	if (f->process.channel < 0)
		return error_set(err, ERR_SYSTEM, "the fetch process has exited");
	/* If it has exited, fetch_serve() reports why. */
	if (fetch_message_send(f->process.channel, request, fd, &gone) < 0 &&
	    (!gone || gone->code != ERR_INTERRUPTED))
		return error_set(err, ERR_SYSTEM, "cannot send a request to the fetch process");
	f->answered = false;
	while (r == 0)
		r = fetch_serve(f, err);
	/* Otherwise its late messages would be taken for replies to the next request. */
	if (r < 0 && !f->answered)
		fetch_process_stop(&f->process);
	return r < 0 ? -1 : 0;
}

int fetch_ask(struct fetch *f, const struct fetch_message *request, struct error **err)
{
	return fetch_ask_with(f, request, -1, err);
}
