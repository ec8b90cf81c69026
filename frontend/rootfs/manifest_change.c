#include "frontend/rootfs/manifest_change.h"

#include <string.h>
#include <time.h>

#include "frontend/cli/word_list.h"
#include "lib/hex.h"
#include "lib/release_text.h"

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

bool manifest_has_hash(const struct manifest *m, const char *name,
		       const uint8_t sha256[static SHA256_LEN])
{
	const struct manifest_package *package = find_package(m, name);
	char hex[2 * SHA256_LEN + 1];

	sha256_to_hex(sha256, hex);
	return package && package->sha256 && strcmp(package->sha256, hex) == 0;
}

static int add_package(struct manifest *m, const struct package *from, struct error **err)
{
	struct manifest_package *package = find_package(m, from->name);

	if (!package) {
		package = array_grow(&m->packages, m->package_count, sizeof(*package));
		if (!package)
			return error_no_memory(err);
		m->package_count++;
	}
	manifest_package_clear(package);
	package->name = strdup(from->name);
	package->version = strdup(from->version);
	package->arch = strdup(from->arch);
	package->source = strdup(from->source);
	package->source_version = strdup(from->source_version);
	package->repository = from->pocket ? from->pocket->repository : 0;
	package->sha256 = malloc(2 * SHA256_LEN + 1);
	if (!package->name || !package->version || !package->arch || !package->source ||
	    !package->source_version || !package->sha256)
		return error_no_memory(err);
	sha256_to_hex(from->sha256, package->sha256);
	return 0;
}

static int add_release(struct manifest *m, const struct pocket *from, struct error **err)
{
	struct manifest_release *release = NULL;

	for (size_t i = 0; i < m->release_count; i++)
		if (strcmp(m->releases[i].pocket, from->name) == 0)
			release = &m->releases[i];
	if (!release) {
		release = array_grow(&m->releases, m->release_count, sizeof(*release));
		if (!release)
			return error_no_memory(err);
		m->release_count++;
	}
	manifest_release_clear(release);
	release->pocket = strdup(from->name);
	release->mirror = strdup(from->place);
	release->sha256 = strdup(from->sha256_hex);
	/* The fetch process read it from the file that the helper verified, and the helper compares
	 * it itself. */
	release->date = release_text_parse_time(from->date);
	return release->pocket && release->mirror && release->sha256 ? 0 : error_no_memory(err);
}

int manifest_take_packages(struct manifest *m, const struct package_set *set, struct error **err)
{
	for (size_t i = 0; i < set->package_count; i++)
		if (add_package(m, &set->packages[i], err) < 0)
			return -1;
	for (size_t i = 0; set->package_count && i < set->pocket_count; i++)
		if (add_release(m, &set->pockets[i], err) < 0)
			return -1;
	return 0;
}

int manifest_take_repositories(struct manifest *m, const struct package_set *set,
			       struct error **err)
{
	repositories_free(m->repositories, m->repository_count);
	m->repository_count = 0;
	m->repositories = calloc(set->repository_count, sizeof(*m->repositories));
	if (!m->repositories)
		return error_no_memory(err);
	for (size_t i = 0; i < set->repository_count; i++)
		if (repository_plan(&set->repositories[i], &m->repositories[m->repository_count++],
				    err) < 0)
			return -1;
	return 0;
}

static void drop_package(struct manifest *m, const char *name)
{
	struct manifest_package *package = find_package(m, name);

	if (!package)
		return;
	manifest_package_clear(package);
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
		if (!word)
			return false;
		word++;
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

static int request(char ***list, const char *const *words, struct error **err)
{
	size_t count = words_count(*list);

	for (; words && *words; words++)
		if (words_add(list, &count, *words) < 0)
			return error_no_memory(err);
	return 0;
}

/* The user's own packages are requested by their files. */
static int request_own(struct manifest *m, const struct package_set *set, struct error **err)
{
	for (size_t i = 0; i < set->package_count; i++)
		if (!set->packages[i].pocket &&
		    request(&m->requested, (const char *const[]){ set->packages[i].name, NULL },
			    err) < 0)
			return -1;
	return 0;
}

/* Another mirror than the dated archive of before also has what comes later. */
static int leave_dated(struct manifest *m, const struct package_set *set, struct error **err)
{
	if (!m->dated || set->dated || !set->package_count)
		return 0;
	free(m->mirror);
	m->mirror = strdup(set->mirror);
	m->dated = 0;
	return m->mirror ? 0 : error_no_memory(err);
}

int manifest_change(struct manifest *m, const struct package_set *set,
		    const struct manifest_requests *requests, struct error **err)
{
	if (manifest_take_packages(m, set, err) < 0 || leave_dated(m, set, err) < 0 ||
	    request(&m->requested, requests->packages, err) < 0 ||
	    request(&m->optional, requests->optional, err) < 0 || request_own(m, set, err) < 0)
		return -1;
	for (char *const *name = set->removed; name && *name; name++)
		drop_package(m, *name);
	for (const char *const *name = requests->removed; name && *name; name++) {
		drop_words(m->requested, *name);
		drop_words(m->optional, *name);
	}
	m->changed = time(NULL);
	m->generation++;
	return 0;
}
