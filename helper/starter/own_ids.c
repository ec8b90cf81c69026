#include "helper/starter/own_ids.h"

#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "policy/subids.h"

static uint32_t own_ids_read(const char *word)
{
	char *end;
	unsigned long id = strtoul(word, &end, 10);

	return *end || id > UINT32_MAX - SUBIDS_NEEDED ? 0 : (uint32_t)id;
}

void own_ids_take(int argc, char **argv, struct idmap *map)
{
	if (argc == 3)
		*map = (struct idmap){ own_ids_read(argv[1]), own_ids_read(argv[2]) };
	for (int i = 1; i < argc; i++)
		explicit_bzero(argv[i], strlen(argv[i]));
}

int own_ids_check(const struct idmap *map, struct error **err)
{
	if (map->first_uid && map->first_gid)
		return 0;
	return error_set(err, ERR_HOST,
			 "cannot map user ids: rootlet named no range; run: rootlet doctor");
}

/* Starts newuidmap PID 0 FIRST 65535 65535 CALLER 1. Its error messages go to our standard error.
 */
static bool own_ids_start(const char *program, pid_t pid, uint32_t first, uint32_t caller,
			  pid_t *child)
{
	char pid_text[16], first_text[16], caller_text[16], count[16];
	const char *argv[] = { program, pid_text,    "0", first_text, count,
			       count,	caller_text, "1", NULL };
	char *environment[] = { NULL };

	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	snprintf(first_text, sizeof(first_text), "%u", first);
	snprintf(caller_text, sizeof(caller_text), "%u", caller);
	snprintf(count, sizeof(count), "%u", RANGE_COUNT);
	return posix_spawn(child, program, NULL, NULL, (char **)(uintptr_t)argv, environment) == 0;
}

static bool own_ids_end(pid_t child)
{
	int status = -1;

	return RETRY_ON_EINTR(waitpid(child, &status, 0)) == child && status == 0;
}

int own_ids_write(const struct idmap *map, pid_t pid, const struct caller *caller,
		  struct error **err)
{
	pid_t users, groups;
	/* Runs both at the same time: they spend most of it on their start. */
	bool first = own_ids_start("/usr/bin/newuidmap", pid, map->first_uid, caller->uid, &users);
	bool second =
		own_ids_start("/usr/bin/newgidmap", pid, map->first_gid, caller->gid, &groups);

	first = first && own_ids_end(users);
	second = second && own_ids_end(groups);
	if (first && second)
		return 0;
	return error_set(err, ERR_HOST,
			 "cannot map user ids: newuidmap or newgidmap is missing, lacks its setuid "
			 "bit, or refused the range; ask an administrator to run: apt install "
			 "--reinstall uidmap");
}
