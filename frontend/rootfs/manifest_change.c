#include "frontend/rootfs/manifest_change.h"

#include <string.h>
#include <time.h>

#include "frontend/cli/word_list.h"
#include "lib/hex.h"

static struct manifest_package *find_package(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->package_count; i++)
		if (strcmp(m->packages[i].name, name) == 0)
			return &m->packages[i];
	return NULL;
}

const char *manifest_version(const struct manifest *m, const char *name)
{
	const struct manifest_package *package = find_package(m, name);

	return package ? package->version : NULL;
}

static void package_clear(struct manifest_package *package)
{
	free(package->name);
	free(package->version);
	free(package->arch);
	free(package->sha256);
	free(package->source);
	free(package->source_version);
	*package = (struct manifest_package){ 0 };
}

static int change_take_package(struct manifest *m, const struct package *from, struct error **err)
{
	struct manifest_package *package = find_package(m, from->name);

	if (!package) {
		package = array_grow(&m->packages, m->package_count, sizeof(*package));
		if (!package)
			return error_no_memory(err);
		m->package_count++;
	}
	package_clear(package);
	package->name = strdup(from->name);
	package->version = strdup(from->version);
	package->arch = strdup(from->arch);
	package->source = strdup(from->source);
	package->source_version = strdup(from->source_version);
	package->sha256 = malloc(2 * SHA256_LEN + 1);
	if (!package->name || !package->version || !package->arch || !package->source ||
	    !package->source_version || !package->sha256)
		return error_no_memory(err);
	sha256_to_hex(from->sha256, package->sha256);
	return 0;
}

static void drop_package(struct manifest *m, const char *name)
{
	struct manifest_package *package = find_package(m, name);

	if (!package)
		return;
	package_clear(package);
	m->package_count--;
	memmove(package, package + 1,
		(size_t)(m->packages + m->package_count - package) * sizeof(*package));
}

/* Whether NAME is one of the alternatives of "a|b". */
static bool offers(const char *word, const char *name)
{
	size_t length = strlen(name);

	while (strncmp(word, name, length) != 0 || (word[length] && word[length] != '|')) {
		word = strchr(word, '|');
		if (!word++)
			return false;
	}
	return true;
}

static void drop_words(char **words, const char *name)
{
	char **to = words;

	for (; words && *words; words++)
		if (offers(*words, name))
			free(*words);
		else
			*to++ = *words;
	if (to)
		*to = NULL;
}

int manifest_change(struct manifest *m, const struct package_set *set, const char *const *added,
		    const char *const *removed, struct error **err)
{
	size_t count = 0;

	for (size_t i = 0; i < set->package_count; i++)
		if (change_take_package(m, &set->packages[i], err) < 0)
			return -1;
	for (char *const *name = set->removed; name && *name; name++)
		drop_package(m, *name);
	while (m->requested && m->requested[count])
		count++;
	for (; added && *added; added++)
		if (words_add(&m->requested, &count, *added) < 0)
			return error_no_memory(err);
	for (size_t i = 0; i < set->package_count; i++)
		if (!set->packages[i].pocket &&
		    words_add(&m->requested, &count, set->packages[i].name) < 0)
			return error_no_memory(err);
	for (; removed && *removed; removed++) {
		drop_words(m->requested, *removed);
		drop_words(m->optional, *removed);
	}
	m->changed = time(NULL);
	m->generation++;
	return 0;
}
