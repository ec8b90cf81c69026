#include "frontend/rootfs/piece_groups.h"

#include <jansson.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/rootfs/piece_tar.h"
#include "lib/hash.h"

#define INFO "var/lib/dpkg/info/"
#define LIST_MAX (64 << 20)

struct piece_groups {
	json_t *packages; /* a set */
	json_t *owners;	  /* path: package */
};

void piece_groups_free(struct piece_groups **groups)
{
	if (!*groups)
		return;
	json_decref((*groups)->packages);
	json_decref((*groups)->owners);
	free(*groups);
	*groups = NULL;
}

/* Copies the package's name out of "NAME.KIND" or "NAME:ARCH.KIND". False if FILE is neither. */
static bool name_package(const char *file, char package[static PIECE_GROUP_SIZE])
{
	const char *dot = strrchr(file, '.');
	size_t length = strcspn(file, ":");

	if (!dot || strchr(file, '/'))
		return false;
	if (length > (size_t)(dot - file))
		length = (size_t)(dot - file);
	if (length == 0 || length >= PIECE_GROUP_SIZE)
		return false;
	memcpy(package, file, length);
	package[length] = '\0';
	return true;
}

/* Packages name files by the directories of a tree in which /bin and the like are not links. */
static int own(struct piece_groups *g, const char *path, const char *package)
{
	static const char *const links[] = { "bin/", "sbin/", "lib" };
	_cleanup_free_ char *merged = NULL;

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (text_has_prefix(path, links[i])) {
			if (asprintf(&merged, "usr/%s", path) < 0 ||
			    json_object_set_new(g->owners, merged, json_string(package)) < 0)
				return -1;
		}
	return json_object_set_new(g->owners, path, json_string(package));
}

static int take_files(struct piece_groups *g, char *list, const char *package)
{
	char *rest = NULL;

	if (json_object_set_new(g->packages, package, json_true()) < 0)
		return -1;
	for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (line[0] == '/' && line[1] && own(g, line + 1, package) < 0)
			return -1;
	return 0;
}

static int take_entry(struct piece_groups *g, struct archive *tar, struct archive_entry *entry,
		      struct error **err)
{
	const char *path = piece_tar_path(entry), *dot;
	int64_t size = archive_entry_size(entry);
	char package[PIECE_GROUP_SIZE];
	_cleanup_free_ char *list = NULL;

	if (!path || !text_has_prefix(path, INFO) || !(dot = strrchr(path, '.')) ||
	    strcmp(dot, ".list") != 0 || archive_entry_filetype(entry) != AE_IFREG || size < 0 ||
	    size > LIST_MAX || !name_package(path + strlen(INFO), package))
		return 0;
	list = calloc(1, (size_t)size + 1);
	if (!list)
		return error_no_memory(err);
	if (archive_read_data(tar, list, (size_t)size) != (la_ssize_t)size)
		return piece_tar_malformed(tar, err);
	return take_files(g, list, package) < 0 ? error_no_memory(err) : 0;
}

struct piece_groups *piece_groups_read(int fd, struct error **err)
{
	_cleanup_(piece_groups_free) struct piece_groups *g = calloc(1, sizeof(*g));
	_cleanup_archive_ struct archive *tar = piece_tar_open(fd, err);
	struct archive_entry *entry;
	int r;

	if (!tar)
		return NULL;
	if (!g || !(g->packages = json_object()) || !(g->owners = json_object())) {
		error_no_memory(err);
		return NULL;
	}
	while ((r = piece_tar_next(tar, &entry, err)) > 0)
		if (take_entry(g, tar, entry, err) < 0)
			return NULL;
	return r < 0 ? NULL : STEAL_PTR(g);
}

/* "DIRECTORY/__pycache__/NAME.cpython-311.pyc" belongs to "DIRECTORY/NAME.py". */
static const char *find_source(const struct piece_groups *g, const char *path)
{
	static const char cache[] = "__pycache__/";
	const char *at = strstr(path, cache), *name = at ? at + strlen(cache) : NULL;
	_cleanup_free_ char *source = NULL;

	if (!name || asprintf(&source, "%.*s%.*s.py", (int)(at - path), path,
			      (int)strcspn(name, "."), name) < 0)
		return NULL;
	return json_string_value(json_object_get(g->owners, source));
}

void piece_group_of(const struct piece_groups *g, const char *path,
		    char group[static PIECE_GROUP_SIZE])
{
	const char *owner = json_string_value(json_object_get(g->owners, path));
	uint8_t sum[SHA256_LEN];

	if (!owner)
		owner = find_source(g, path);
	if (!owner && text_has_prefix(path, INFO) && name_package(path + strlen(INFO), group) &&
	    json_object_get(g->packages, group))
		return;
	if (owner) {
		snprintf(group, PIECE_GROUP_SIZE, "%s", owner);
		return;
	}
	hash_of(path, strlen(path), sum);
	snprintf(group, PIECE_GROUP_SIZE, "%u", sum[0] % PIECE_REST);
}
