/* Release files: the helper verifies each before any of our code parses it. */
#include "frontend/archive/fetch_verify.h"

#include <fcntl.h>
#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/client/release_seen.h"
#include "lib/error_wrap.h"
#include "lib/release_memory.h"

#define RETRIES 2 /* to get a newer release file */
#define RETRY_SECONDS 1
#define KERNEL_REMEDY "or create the rootfs again from another mirror"

static const char *pocket_mirror(const struct fetch *f, uint32_t number)
{
	return pockets_mirror(f->origin, number, f->releases[number].url);
}

/* POCKETS has one bit per pocket. */
static int ask_for_releases(struct fetch *f, uint32_t pockets, struct error **err)
{
	struct fetch_message request = { .kind = FETCH_RELEASES };
	int r;

	for (uint32_t i = 0; i < pockets_count(f->origin); i++) {
		if (!(pockets >> i & 1))
			continue;
		closep(&f->releases[i].fd);
		f->releases[i] = (struct arrived_release){ .asked = true, .fd = -1 };
	}
	request.releases.pockets = pockets;
	r = fetch_ask(f, &request, err);
	for (size_t i = 0; i < pockets_count(f->origin); i++)
		f->releases[i].asked = f->releases[i].asked && !f->releases[i].here;
	for (uint32_t i = 0; i < pockets_count(f->origin) && r == 0; i++)
		if (pockets >> i & 1 && !f->releases[i].here)
			r = fetch_nonsense("release file is missing", err);
	return r;
}

/* Asks the helper: 0, or -1 with ERR set, with number ESTALE if the file is older than one seen
 * before. *STATUS is that of the reply; see rootlet.proto. */
static int ask_helper(const struct fetch *f, uint32_t number, int *status, struct error **err)
{
	const struct repository *repository = pockets_repository(f->origin, number);
	const char *path = repository ? repository->keyring : f->origin->keyring;
	_cleanup_close_ int keyring = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *place = release_seen_place(pocket_mirror(f, number));
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__CheckRelease message = ROOTLET__CHECK_RELEASE__INIT;
	struct answer answer;

	if (keyring < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	if (!place)
		return error_no_memory(err);
	message.suite = repository ? repository->suite : f->origin->suite;
	message.pocket = repository ? "" : (char *)(uintptr_t)fetch_pockets[number];
	message.repository = repository != NULL;
	message.mirror = place;
	message.older = f->allow_older;
	message.dated = repository ? 0 : (uint32_t)f->origin->dated;
	request.kind_case = ROOTLET__REQUEST__KIND_CHECK_RELEASE;
	request.check_release = &message;
	if (helper_call(f->helper, &request, (int[]){ f->releases[number].fd, keyring }, 2, &answer,
			err) < 0)
		return -1;
	*status = answer.status;
	return 0;
}

/* The remedy for an old file is a different one for a kernel. */
static int refuse_older(const struct fetch *f, const struct error *why, struct error **err)
{
	const char *remedy = strstr(why->message, RELEASE_REMEDY);

	if (f->for_rootfs || !remedy)
		return error_set(err, why->code, "%s", why->message);
	return error_set(err, why->code, "%.*s%s", (int)(remedy - why->message), why->message,
			 KERNEL_REMEDY);
}

static void tell_memory(const struct fetch *f, uint32_t number, const char *name, int status)
{
	if (f->origin->dated && !pockets_repository(f->origin, number))
		return;
	if (status == 1)
		progress_note(f->progress,
			      "InRelease of %s is older than one seen before, but older ones are "
			      "allowed",
			      name);
	if (status == 2)
		progress_note(f->progress,
			      "cannot remember InRelease of %s to detect older ones later: the "
			      "policy allows no rootfs of this release and keyring",
			      name);
	else if (f->forgetful)
		progress_note(f->progress,
			      "cannot remember InRelease of %s to detect older ones later: %s",
			      name, f->forgetful);
}

/* Mirrors have many hosts, with caches in front of them, and some may lag behind. So an older file
 * is downloaded again before it is refused. */
static int verify_newest(struct fetch *f, uint32_t number, struct error **err)
{
	char name[POCKET_SUITE_SIZE];

	pockets_suite(f->origin, number, name);
	for (int i = 0;; i++) {
		_cleanup_error_ struct error *why = NULL;
		int status = 0;

		if (ask_helper(f, number, &status, &why) == 0) {
			tell_memory(f, number, name, status);
			return 0;
		}
		if (!why)
			return error_no_memory(err);
		if (why->code != ERR_TRUST || why->number != ESTALE || i == RETRIES)
			return refuse_older(f, why, err);
		progress_note(f->progress,
			      "InRelease of %s is older than one seen before: downloading it again",
			      name);
		sleep(RETRY_SECONDS);
		if (ask_for_releases(f, UINT32_C(1) << number, err) < 0)
			return -1;
		if (f->releases[number].fd < 0)
			return error_set(err, ERR_NETWORK,
					 "the mirror no longer has InRelease of %s", name);
	}
}

/* Allows the process to parse the file. */
static int add_pocket(struct fetch *f, uint32_t number, struct error **err)
{
	struct pocket *pocket = &f->set->pockets[f->set->pocket_count++];
	struct fetch_message request = { .kind = FETCH_ACCEPT };
	const char *mirror = pocket_mirror(f, number);
	uint8_t sha256[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	pocket->name = fetch_pockets[number];
	pocket->inrelease = steal_fd(&f->releases[number].fd);
	request.accept.pocket = number;
	f->facts.kind = 0;
	if (file_sha256(pocket->inrelease, sha256, err) < 0 || fetch_ask(f, &request, err) < 0)
		return -1;
	if (f->facts.kind != FETCH_FACTS)
		return fetch_nonsense("facts about a release file are missing", err);
	sha256_to_hex(sha256, hex);
	f->numbered[number] = pocket;
	if (number == 0 && !f->origin->distribution && *f->facts.facts.origin)
		f->set->distribution = strdup(f->facts.facts.origin);
	pocket->older = f->allow_older;
	pocket->generation = f->facts.facts.generation;
	pocket->repository = number < ARCHIVE_POCKETS ? 0 : number - ARCHIVE_POCKETS + 1;
	pocket->date = strdup(f->facts.facts.date);
	pocket->sha256_hex = strdup(hex);
	pocket->mirror = strdup(mirror);
	pocket->place = release_seen_place(mirror);
	if (!pocket->date || !pocket->sha256_hex || !pocket->mirror || !pocket->place)
		return error_no_memory(err);
	return 0;
}

int fetch_verified_releases(struct fetch *f, struct error **err)
{
	f->set->pockets = calloc(FETCH_POCKETS, sizeof(*f->set->pockets));
	if (!f->set->pockets)
		return error_no_memory(err);
	if (ask_for_releases(f, (1u << pockets_count(f->origin)) - 1, err) < 0)
		return -1;
	for (uint32_t i = 0; i < pockets_count(f->origin); i++) {
		const struct repository *repository = pockets_repository(f->origin, i);
		char name[POCKET_SUITE_SIZE];

		pockets_suite(f->origin, i, name);
		if (f->releases[i].fd < 0)
			progress_note(f->progress,
				      "the mirror has no InRelease of %s: continuing without it",
				      name);
		else if (verify_newest(f, i, err) < 0 || add_pocket(f, i, err) < 0)
			return repository ? error_wrap(err, "repository %s", pocket_mirror(f, i))
					  : -1;
	}
	return 0;
}
