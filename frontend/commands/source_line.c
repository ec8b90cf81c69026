#include "frontend/commands/source_line.h"

#include <string.h>

#include "frontend/cli/word_list.h"
#include "proto/validate.h"

#define COMPONENTS_MAX 16

int source_line_read(const struct parsed_line *line, struct source *source, char ***components,
		     struct error **err)
{
	const char *list = line_value(line, OPTION_COMPONENTS);
	_cleanup_free_ char *copy = list ? strdup(list) : NULL;
	char *rest = NULL;
	size_t count = 0;

	source->mirror = line_value(line, OPTION_MIRROR);
	source->keyring = line_value(line, OPTION_KEYRING);
	source->allow_older = line_has(line, OPTION_ALLOW_OLDER);
	if (!list)
		return 0;
	if (!copy)
		return error_no_memory(err);
	for (char *word = strtok_r(copy, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
		if (!valid_archive_word(word) || count == COMPONENTS_MAX)
			return error_set(err, ERR_INPUT, "invalid archive component \"%.80s\"",
					 word);
		if (words_add(components, &count, word) < 0)
			return error_no_memory(err);
	}
	if (!count)
		return error_set(err, ERR_INPUT, "--components is empty");
	source->components = (const char *const *)*components;
	return 0;
}
