#include "policy/decide_mirror.h"

#include <string.h>

/* A rule matches as a prefix that ends at a component of the path. */
void policy_decide_mirror(const struct grant *g, const char *url, struct decision *d)
{
	const char *word = g->rule ? g->rule->mirrors : "";

	decision_take(g, d, true, "mirrors");
	for (; *word; word = policy_next_word(word)) {
		size_t length = strlen(word);

		while (length && word[length - 1] == '/')
			length--;
		if (strcmp(word, "*") == 0 || (strncmp(url, word, length) == 0 &&
					       (url[length] == '\0' || url[length] == '/')))
			return;
	}
	if (g->rule)
		decision_refuse(g, d, "mirrors", "mirror", url);
	else
		d->allowed = false;
}
