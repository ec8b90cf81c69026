#include "frontend/archive/repository.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/archive/apt.h"
#include "frontend/archive/mirror_url.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "proto/validate.h"

#define FORM                                                                                       \
	"write it as in apt's sources.list: --repository '[signed-by=FILE] URL SUITE COMPONENT…'"
#define KEYRING_PATH_MAX 1024 /* as in a manifest: manifest_fields.c */
#define ARMOR "-----BEGIN PGP"

static int repository_complain(const char *line, const char *why, struct error **err)
{
	return error_set(err, ERR_INPUT, "cannot use the repository \"%.200s\": %s; " FORM, line,
			 why);
}

static int take_components(const char *line, const char *list, struct repository *out,
			   struct error **err)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = NULL;
	size_t count = 0;

	for (char *word = copy ? strtok_r(copy, " \t", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (!valid_archive_word(word))
			return repository_complain(line, "a component is malformed", err);
		if (words_add(&out->components, &count, word) < 0)
			return error_no_memory(err);
	}
	if (!copy)
		return error_no_memory(err);
	return count ? 0 : repository_complain(line, "it names no component", err);
}

int repository_parse(const char *line, struct repository *out, struct error **err)
{
	_cleanup_(apt_entries_clear) struct apt_entries entries = { 0 };
	_cleanup_free_ char *text = NULL;
	const struct apt_entry *entry;

	*out = (struct repository){ 0 };
	if (!text_is_clean(line) || strchr(line, '#'))
		return repository_complain(line, "it has a control character or a \"#\"", err);
	if (asprintf(&text, "%s%s", strncmp(line, "deb ", 4) == 0 ? "" : "deb ", line) < 0 ||
	    apt_parse_list(text, &entries) < 0)
		return error_no_memory(err);
	if (entries.count != 1)
		return repository_complain(line, "it is incomplete", err);
	entry = &entries.list[0];
	if (!*entry->keyring)
		return repository_complain(line, "it names no keyring with signed-by", err);
	if (!valid_archive_word(entry->suite))
		return repository_complain(
			line, "its suite is malformed (an archive without dists is not supported)",
			err);
	if (!(out->mirror = mirror_url_make(entry->uri, NULL)))
		return repository_complain(line, "it has no http, https or file URL", err);
	out->suite = strdup(entry->suite);
	out->keyring = strdup(entry->keyring);
	if (!out->suite || !out->keyring)
		return error_no_memory(err);
	return take_components(line, entry->components, out, err);
}

/* gpgv takes a name without a slash for a file in its own directory, and no ASCII armor. */
static int plan_repository_keyring(const char *path, char **out, struct error **err)
{
	_cleanup_free_ char *full = realpath(path, NULL);
	_cleanup_close_ int fd = full ? open(full, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	char start[sizeof(ARMOR)] = "";
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (S_ISREG(st.st_mode) && pread(fd, start, sizeof(start) - 1, 0) < 0))
		return error_set(
			err, ERR_INPUT,
			"cannot read the repository's keyring %s: %s; put its keys there, or "
			"name another file as signed-by=FILE in create --repository",
			path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(
			err, ERR_INPUT,
			"cannot read the repository's keyring %s: it is not a regular file", path);
	if (!text_is_clean(full) || strlen(full) > KEYRING_PATH_MAX)
		return error_set(err, ERR_INPUT,
				 "cannot use the repository's keyring %.200s: its path is too long "
				 "or has control characters",
				 path);
	if (strcmp(start, ARMOR) == 0)
		return error_set(err, ERR_INPUT,
				 "cannot use the repository's keyring %s: it is text; convert it "
				 "with: gpg --dearmor -o FILE.gpg %s",
				 path, path);
	*out = STEAL_PTR(full);
	return 0;
}

int repository_plan(const struct repository *asked, struct repository *out, struct error **err)
{
	size_t count = 0;

	*out = (struct repository){ 0 };
	if (!(out->mirror = mirror_url_make(asked->mirror, err)) ||
	    plan_repository_keyring(asked->keyring, &out->keyring, err) < 0)
		return -1;
	out->suite = strdup(asked->suite);
	if (!out->suite)
		return error_no_memory(err);
	for (char *const *word = asked->components; *word; word++)
		if (words_add(&out->components, &count, *word) < 0)
			return error_no_memory(err);
	return 0;
}

void repository_clear(struct repository *r)
{
	free(r->mirror);
	free(r->suite);
	free(r->keyring);
	words_free(r->components);
	*r = (struct repository){ 0 };
}

void repositories_free(struct repository *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		repository_clear(&list[i]);
	free(list);
}
