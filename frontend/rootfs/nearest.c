#include "frontend/rootfs/nearest.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "frontend/cli/word_list.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/manifest_change.h"
#include "lib/hex_read.h"
#include "lib/release_text.h"

/* In a copy, dpkg unpacks and configures one package after the other, which takes more than twice
 * as long for each as in a build. So beyond this share of the packages, or of their bytes, a build
 * is about as fast: docs/performance.md. */
#define SHARE_MOST 4 /* one in so many */

void nearest_clear(struct nearest *nearest)
{
	manifest_free(&nearest->manifest);
}

bool nearest_is_whole(const struct nearest *n)
{
	return !n->added && !n->replaced && !n->accounts;
}

/* --- users, groups, and what is left out --- */

static bool same_group(const struct account_group *a, const struct account_group *b)
{
	return a->gid == b->gid && strcmp(a->name, b->name) == 0;
}

static bool same_user(const struct account *a, const struct account *b)
{
	if (a->uid != b->uid || a->gid != b->gid || strcmp(a->name, b->name) != 0 ||
	    strcmp(a->home, b->home) != 0 || strcmp(a->shell, b->shell) != 0 ||
	    a->group_count != b->group_count)
		return false;
	for (size_t i = 0; i < a->group_count; i++)
		if (strcmp(a->groups[i], b->groups[i]) != 0)
			return false;
	return true;
}

static bool has_group(const struct account_group *groups, size_t count,
		      const struct account_group *group)
{
	for (size_t i = 0; i < count; i++)
		if (same_group(&groups[i], group))
			return true;
	return false;
}

static bool has_user(const struct account *users, size_t count, const struct account *user)
{
	for (size_t i = 0; i < count; i++)
		if (same_user(&users[i], user))
			return true;
	return false;
}

bool nearest_has_group(const struct nearest *n, const struct account_group *group)
{
	return has_group(n->manifest->groups, n->manifest->group_count, group);
}

bool nearest_has_user(const struct nearest *n, const struct account *user)
{
	return has_user(n->manifest->users, n->manifest->user_count, user);
}

static bool accounts_fit(const struct manifest *m, const struct profile *p)
{
	for (size_t i = 0; i < m->group_count; i++)
		if (!has_group(p->groups, p->group_count, &m->groups[i]))
			return false;
	for (size_t i = 0; i < m->user_count; i++)
		if (!has_user(p->users, p->user_count, &m->users[i]))
			return false;
	return true;
}

static bool filters_fit(const struct manifest *m, const struct profile *p)
{
	if (m->filter_count != p->filter_count)
		return false;
	for (size_t i = 0; i < m->filter_count; i++)
		if (m->filters[i].include != p->filters[i].include ||
		    strcmp(m->filters[i].pattern, p->filters[i].pattern) != 0)
			return false;
	return true;
}

/* --- packages --- */

static const struct package *find_in_set(const struct package_set *set, const char *name)
{
	for (size_t i = 0; i < set->package_count; i++)
		if (strcmp(set->packages[i].name, name) == 0)
			return &set->packages[i];
	return NULL;
}

/* A package that the new rootfs does not have would leave something behind if it were removed. */
static bool packages_fit(const struct manifest *m, const struct package_set *set)
{
	for (size_t i = 0; i < m->package_count; i++) {
		const struct package *want = find_in_set(set, m->packages[i].name);

		if (!want || strcmp(want->arch, m->packages[i].arch) != 0)
			return false;
	}
	return true;
}

static void count_packages(struct nearest *n, const struct package_set *set)
{
	for (size_t i = 0; i < set->package_count; i++) {
		const struct package *want = &set->packages[i];

		if (manifest_has_hash(n->manifest, want->name, want->sha256))
			continue;
		if (manifest_version(n->manifest, want->name))
			n->replaced++;
		else
			n->added++;
		n->bytes += want->size;
	}
}

/* --- where the packages come from --- */

static bool release_is_older(const struct manifest_release *have, const struct package_set *set)
{
	for (size_t i = 0; i < set->pocket_count; i++)
		if (strcmp(set->pockets[i].name, have->pocket) == 0)
			return strcmp(set->pockets[i].place, have->mirror) == 0 &&
			       have->date <= release_text_parse_time(set->pockets[i].date);
	return false;
}

/* The scripts of a package that is replaced have run in the snapshot, and nothing of it is in the
 * new release files. So it must come from the same archive at an earlier time, verified with the
 * same keys. (Packages with the same hash are the same, wherever they came from.) */
static bool is_earlier(const struct manifest *m, const struct base_note *note,
		       const struct nearest_goal *goal)
{
	const struct package_set *set = goal->set;

	if (strcmp(note->keyring, goal->keyring) != 0 || strcmp(m->mirror, set->mirror) != 0 ||
	    m->repository_count || set->repository_count || m->dated || set->dated)
		return false;
	for (size_t i = 0; i < m->release_count; i++)
		if (!release_is_older(&m->releases[i], set))
			return false;
	return true;
}

static bool is_of_kind(const struct manifest *m, const struct nearest_goal *goal)
{
	return m->engine && strcmp(m->engine, "native") == 0 && !m->changed && !m->published &&
	       strcmp(m->suite, goal->set->suite) == 0 && strcmp(m->arch, goal->set->arch) == 0 &&
	       m->first_uid == goal->ids->first_uid && m->first_gid == goal->ids->first_gid &&
	       m->count == goal->ids->count;
}

static bool lacks_accounts(const struct nearest *n, const struct profile *p)
{
	return n->manifest->group_count < p->group_count || n->manifest->user_count < p->user_count;
}

static bool is_near(const struct nearest *n, const struct package_set *set)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < set->package_count; i++)
		bytes += set->packages[i].size;
	return (n->added + n->replaced) * SHARE_MOST <= set->package_count &&
	       n->bytes * SHARE_MOST <= bytes;
}

bool nearest_judge(struct nearest *n, const struct base_note *note, const struct nearest_goal *goal)
{
	const struct manifest *m = n->manifest;

	if (strcmp(note->policy, goal->policy) != 0 || !is_of_kind(m, goal) ||
	    !filters_fit(m, goal->profile) || !accounts_fit(m, goal->profile) ||
	    !packages_fit(m, goal->set))
		return false;
	count_packages(n, goal->set);
	n->extended = note->extended;
	n->accounts = lacks_accounts(n, goal->profile);
	/* What replaced packages leave behind must not add up. */
	if (note->extended && !nearest_is_whole(n))
		return false;
	return is_near(n, goal->set) && (!n->replaced || is_earlier(m, note, goal));
}

/* --- the search --- */

static bool is_nearer(const struct nearest *a, const struct nearest *b)
{
	if (nearest_is_whole(a) != nearest_is_whole(b))
		return nearest_is_whole(a);
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes;
	return a->added + a->replaced < b->added + b->replaced;
}

/* A snapshot that cannot be read does not count. */
static void look(struct helper *h, int dir, const char *key, const struct nearest_goal *goal,
		 struct nearest *best)
{
	_cleanup_(nearest_clear) struct nearest n = { .manifest = NULL };
	_cleanup_close_ int rootfs = -1;
	struct base_note note;

	if (view_open_at(h, dir, key, &rootfs, NULL) < 0 ||
	    manifest_read(h, rootfs, &n.manifest, NULL) < 0)
		return;
	base_read_note(dir, key, &note);
	if (!nearest_judge(&n, &note, goal) || (best->manifest && !is_nearer(&n, best)))
		return;
	snprintf(n.key, sizeof(n.key), "%s", key);
	nearest_clear(best);
	*best = n;
	n.manifest = NULL;
}

int nearest_find(struct helper *h, const struct base *kept, const struct nearest_goal *goal,
		 struct nearest *nearest)
{
	int copy = openat(kept->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	uint8_t hash[SHA256_LEN];

	*nearest = (struct nearest){ .manifest = NULL };
	if (!d) {
		closep(&copy);
		return 0;
	}
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, kept->key) != 0 &&
		    sha256_from_hex(entry->d_name, strlen(entry->d_name), hash))
			look(h, kept->dir, entry->d_name, goal, nearest);
	closedir(d);
	return nearest->manifest != NULL;
}

char **nearest_words(const struct nearest *n, const struct package_set *set)
{
	char **words = calloc(1, sizeof(*words));
	size_t count = 0;

	for (size_t i = 0; i < set->package_count && words; i++) {
		const struct package *want = &set->packages[i];
		char word[PACKAGE_NAME_MAX + VERSION_MAX + 2];

		if (manifest_has_hash(n->manifest, want->name, want->sha256))
			continue;
		snprintf(word, sizeof(word), "%s=%s", want->name, want->version);
		if (words_add(&words, &count, word) == 0)
			continue;
		words_free(words);
		words = NULL;
	}
	return words;
}
