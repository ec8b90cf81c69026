#include "frontend/client/own_subids.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "policy/subids.h"

#define DATABASE "subid:"

/* struct subid_range of libsubid's subid.h. The library is loaded only if it is needed: it brings a
 * dozen others. */
struct service_range {
	unsigned long start, count;
};
typedef int service_ask(const char *owner, struct service_range **ranges);
typedef bool service_init(const char *program, FILE *log);

static const char advice[] = "ask an administrator of ";

/* As newuidmap reads it: the first service of the first line that has one. */
bool own_subids_service(char name[static SUBID_SERVICE_SIZE])
{
	_cleanup_fclose_ FILE *in = fopen("/etc/nsswitch.conf", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (in && getline(&line, &size, in) > 0) {
		char *state = NULL, *word;

		if (strncasecmp(line, DATABASE, strlen(DATABASE)) != 0)
			continue;
		word = strtok_r(line + strlen(DATABASE), " \t\r\n", &state);
		if (!word)
			continue;
		if (strcmp(word, "files") == 0 || strlen(word) >= SUBID_SERVICE_SIZE)
			return false;
		snprintf(name, SUBID_SERVICE_SIZE, "%s", word);
		return true;
	}
	return false;
}

/* These two versions have the same functions. */
static void *library_open(void)
{
	void *library = NULL;

	if (LIBSUBID) {
		library = dlopen("libsubid.so.5", RTLD_NOW | RTLD_LOCAL);
		if (!library)
			library = dlopen("libsubid.so.4", RTLD_NOW | RTLD_LOCAL);
	}
	return library;
}

bool own_subids_has_library(void)
{
	void *library = library_open();

	if (library)
		dlclose(library);
	return library;
}

/* FUNCTION asks for user ids or group ids, named KIND. Returns the first id, or 0. */
static uint32_t ask_service(void *library, const char *function, const char *kind,
			    const char *service, const char *owner, struct subids *subids)
{
	service_ask *ask = (service_ask *)dlsym(library, function);
	struct service_range *ranges = NULL;
	int count = ask ? ask(owner, &ranges) : -1;
	unsigned long longest = 0;
	uint32_t first = 0;

	for (int i = 0; i < count; i++) {
		const struct service_range *r = &ranges[i];

		if (!r->start || r->start > UINT32_MAX || r->count > UINT32_MAX - r->start)
			continue;
		if (r->count >= SUBIDS_NEEDED && !first)
			first = (uint32_t)r->start;
		if (r->count > longest)
			longest = r->count;
	}
	if (count > 0)
		free(ranges);
	if (count < 0)
		snprintf(subids->why, sizeof(subids->why),
			 "%s, which /etc/nsswitch.conf names for subid, cannot be asked for %s",
			 service, kind);
	else if (!first)
		snprintf(subids->why, sizeof(subids->why),
			 "%s, which /etc/nsswitch.conf names for subid, gives \"%.64s\" no range "
			 "of %s that is long enough: the longest of %d has %lu; %u in one piece "
			 "are needed",
			 service, owner, kind, count, longest, SUBIDS_NEEDED);
	return first;
}

static bool find_by_service(const char *service, const char *owner, struct subids *subids)
{
	void *library = library_open();
	service_init *init;

	*subids = (struct subids){ 0 };
	snprintf(subids->fix, sizeof(subids->fix), "%s%s for a range", advice, service);
	if (!library) {
		snprintf(subids->why, sizeof(subids->why),
			 "/etc/nsswitch.conf says that %s has the ranges, and libsubid, which asks "
			 "it, %s",
			 service, LIBSUBID ? "is not installed" : "is not built in");
		return false;
	}
	init = (service_init *)dlsym(library, "subid_init");
	if (init)
		init("rootlet", NULL);
	subids->first_uid =
		ask_service(library, "subid_get_uid_ranges", "user ids", service, owner, subids);
	if (subids->first_uid)
		subids->first_gid = ask_service(library, "subid_get_gid_ranges", "group ids",
						service, owner, subids);
	return subids->first_uid && subids->first_gid;
}

bool own_subids_find(struct subids *subids)
{
	const struct passwd *entry = getpwuid(getuid());
	char number[16], service[SUBID_SERVICE_SIZE];

	snprintf(number, sizeof(number), "%u", getuid());
	/* root needs no newuidmap. */
	if (getuid() != 0 && own_subids_service(service))
		return find_by_service(service, entry ? entry->pw_name : number, subids);
	return subids_find(entry ? entry->pw_name : number, getuid(), subids);
}

const char *own_subids_ask(const struct subids *subids)
{
	bool told = strncmp(subids->fix, advice, strlen(advice)) == 0;

	return told ? "" : "ask an administrator to run: ";
}
