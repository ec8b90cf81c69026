#include "frontend/rootfs/profile_places.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/paths.h"
#include "proto/validate.h"

#define DIRECTORY "profiles"
#define SUFFIX ".conf"

/* In search order. */
static char *(*const dirs[])(const char *relative, struct error **err) = { paths_config,
									   paths_data };

#define DIR_COUNT (sizeof(dirs) / sizeof(dirs[0]))

char *profile_find(const char *name, struct error **err)
{
	_cleanup_free_ char *file = NULL;
	char *paths[DIR_COUNT] = { NULL };
	char *found = NULL;

	if (asprintf(&file, DIRECTORY "/%s" SUFFIX, name) < 0) {
		file = NULL;
		error_no_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < DIR_COUNT && !found; i++) {
		paths[i] = dirs[i](file, err);
		if (!paths[i])
			break;
		if (access(paths[i], F_OK) == 0)
			found = STEAL_PTR(paths[i]);
	}
	if (!found && paths[DIR_COUNT - 1])
		error_set(err, ERR_INPUT,
			  "no profile \"%s\": neither %s nor %s exists; see: rootlet profiles",
			  name, paths[0], paths[1]);
	for (size_t i = 0; i < DIR_COUNT; i++)
		free(paths[i]);
	return found;
}

char *profile_name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);
	size_t length = name ? strlen(name) : 0;

	if (length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0) {
		name[length - strlen(SUFFIX)] = '\0';
		if (valid_rootfs_name(name))
			return name;
	}
	free(name);
	return NULL;
}

static bool places_has(const struct profile_place *places, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(places[i].name, name) == 0)
			return true;
	return false;
}

static int places_add(struct profile_place **places, size_t *count, const char *dir,
		      const char *file, bool own)
{
	_cleanup_free_ char *name = profile_name_of(file), *path = NULL;
	struct profile_place *more;

	if (!name || places_has(*places, *count, name))
		return 0;
	more = reallocarray(*places, *count + 1, sizeof(**places));
	if (!more)
		return -1;
	*places = more;
	if (asprintf(&path, "%s/%s", dir, file) < 0) {
		path = NULL;
		return -1;
	}
	more[*count] = (struct profile_place){ STEAL_PTR(name), STEAL_PTR(path), own };
	(*count)++;
	return 0;
}

/* A missing directory counts as empty. */
static int add_dir(struct profile_place **places, size_t *count, const char *dir, bool own)
{
	DIR *entries = opendir(dir);
	const struct dirent *entry;
	int r = 0;

	while (entries && r == 0 && (entry = readdir(entries)))
		r = places_add(places, count, dir, entry->d_name, own);
	if (entries)
		closedir(entries);
	return r;
}

static int places_compare(const void *a, const void *b)
{
	return strcmp(((const struct profile_place *)a)->name,
		      ((const struct profile_place *)b)->name);
}

int profile_list(struct profile_place **places, size_t *count, struct error **err)
{
	*places = NULL;
	*count = 0;
	for (size_t i = 0; i < DIR_COUNT; i++) {
		_cleanup_free_ char *dir = dirs[i](DIRECTORY, err);

		if (!dir)
			return -1;
		if (add_dir(places, count, dir, dirs[i] == paths_config) < 0)
			return error_no_memory(err);
	}
	if (*count)
		qsort(*places, *count, sizeof(**places), places_compare);
	return 0;
}

void profile_list_free(struct profile_place *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(places[i].name);
		free(places[i].path);
	}
	free(places);
}
