/* The front end's reading of messages from its fetch process: packets, each preceded by its length
 * in two bytes. */
#include <sys/socket.h>

#include "frontend/archive/fetch_client.h"
#include "frontend/archive/package_set.h"

#include "frontend/archive/package_words.h"
#include "fuzz.h"

#define PACKETS_MAX 32 /* that fit in the channel */

static char *components[] = { (char *)(uintptr_t) "main", NULL };
static struct origin origin = { .components = components };
static const char *const optional[] = { "extra", NULL };
static const struct wanted wanted = { .optional = optional };

static void send_all(int channel, const uint8_t *data, size_t size)
{
	const struct fetch_message result = { .kind = FETCH_RESULT };

	for (int i = 0; i < PACKETS_MAX && size > 2; i++) {
		size_t length = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		length = length < size ? length : size;
		if (send(channel, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		data += length;
		size -= length;
	}
	fetch_message_send(channel, &result, -1, NULL);
}

/* Invariants that later steps rely on. */
static void check_set(const struct package_set *set)
{
	if (set->package_count > PACKAGES_MAX || set->pockets[0].index_count > 1)
		abort();
	for (size_t i = 0; i < set->package_count; i++)
		if (!valid_package_name(set->packages[i].name) ||
		    !valid_package_version(set->packages[i].version) ||
		    (set->packages[i].path &&
		     strncmp(set->packages[i].path, "/nowhere/packages/", 18) != 0))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fetch_message request = { .kind = FETCH_DOWNLOAD };
	_cleanup_error_ struct error *err = NULL;
	struct fetch f = {
		.origin = &origin,
		.wanted = &wanted,
		.indexes = (char *)(uintptr_t) "/nowhere/indexes",
		.packages = (char *)(uintptr_t) "/nowhere/packages",
		.kept = (char *)(uintptr_t) "/nowhere/solv",
		.process = FETCH_PROCESS_NONE,
	};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
	f.set = calloc(1, sizeof(*f.set));
	f.set->pockets = calloc(FETCH_POCKETS, sizeof(*f.set->pockets));
	f.set->pocket_count = 1;
	f.set->pockets[0].inrelease = -1;
	f.numbered[0] = &f.set->pockets[0];
	for (size_t i = 0; i < FETCH_POCKETS; i++)
		f.releases[i] = (struct arrived_release){ .asked = true, .fd = -1 };
	f.process.channel = ends[0];
	send_all(ends[1], data, size);
	if (fetch_ask(&f, &request, &err) < 0 && err && !err->message)
		abort();
	check_set(f.set);
	for (size_t i = 0; i < FETCH_POCKETS; i++)
		closep(&f.releases[i].fd);
	package_set_free(&f.set);
	closep(&f.process.channel);
	close(ends[1]);
	return 0;
}
