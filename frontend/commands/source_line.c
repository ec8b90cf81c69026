#include "frontend/commands/source_line.h"

#include <string.h>

#include "frontend/cli/word_list.h"

#define COMPONENTS_MAX 16

static int read_components(const char *list, struct source_words *words, struct error **err)
{
	_cleanup_free_ char *copy = list ? strdup(list) : NULL;
	char *rest = NULL;
	size_t count = 0;

	if (!list)
		return 0;
	if (!copy)
		return error_no_memory(err);
	for (char *word = strtok_r(copy, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
		if (!valid_archive_word(word) || count == COMPONENTS_MAX)
			return error_set(err, ERR_INPUT, "invalid archive component \"%.80s\"",
					 word);
		if (words_add(&words->components, &count, word) < 0)
			return error_no_memory(err);
	}
	return count ? 0 : error_set(err, ERR_INPUT, "--components is empty");
}

static int read_repositories(const struct parsed_line *line, struct source_words *words,
			     struct error **err)
{
	const char *entry;
	size_t i = 0;

	while ((entry = line_next(line, OPTION_REPOSITORY, &i))) {
		if (words->repository_count == REPOSITORIES_MAX)
			return error_set(
				err, ERR_INPUT,
				"too many repositories: the limit is %d; leave out \"%.200s\"",
				REPOSITORIES_MAX, entry);
		if (repository_parse(entry, &words->repositories[words->repository_count++], err) <
		    0)
			return -1;
	}
	return 0;
}

int source_line_read(const struct parsed_line *line, struct source_words *words,
		     struct source *source, struct error **err)
{
	source->mirror = line_value(line, OPTION_MIRROR);
	source->keyring = line_value(line, OPTION_KEYRING);
	source->allow_older = line_has(line, OPTION_ALLOW_OLDER);
	if (read_components(line_value(line, OPTION_COMPONENTS), words, err) < 0 ||
	    read_repositories(line, words, err) < 0)
		return -1;
	source->components = (const char *const *)words->components;
	source->repositories = words->repositories;
	source->repository_count = words->repository_count;
	return 0;
}

void source_words_clear(struct source_words *words)
{
	words_free(words->components);
	for (size_t i = 0; i < words->repository_count; i++)
		repository_clear(&words->repositories[i]);
	*words = (struct source_words){ 0 };
}
