#include "policy/decide_mirror.h"

#include <string.h>

#include "proto/requests.h"

#define ROW(NAME, Name, name, word, ...) { #Name, word },
const struct operation_name operation_names[] = { REQUESTS(ROW) };
const size_t operation_count = sizeof(operation_names) / sizeof(*operation_names);

const struct operation_name *operation_find(const char *request)
{
	for (size_t i = 0; i < operation_count; i++)
		if (strcmp(operation_names[i].request, request) == 0)
			return &operation_names[i];
	return NULL;
}

void policy_decide_request(const struct grant *g, const struct question *q, struct decision *d)
{
	const struct operation_name *operation = operation_find(q->request);
	struct question whole = *q;

	whole.word = operation ? operation->operation : q->request;
	policy_decide(g, &whole, d);
}

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
