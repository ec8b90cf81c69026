#include "policy/policy_text.h"

#include <string.h>

static char *policy_text_join(const char *words)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (const char *word = words; f && *word; word = policy_next_word(word))
		fprintf(f, "%s%s", word == words ? "" : " ", word);
	if (f)
		fclose(f);
	return text;
}

static char *number_text(uint64_t number, bool size)
{
	static const char letters[] = "KMGT";
	char *text = NULL;
	int power = -1;

	if (number == POLICY_NONE)
		return strdup("none");
	while (size && power < 3 && number % 1024 == 0) {
		number /= 1024;
		power++;
	}
	if (asprintf(&text, "%ju%.*s", (uintmax_t)number, power >= 0,
		     &letters[power < 0 ? 0 : power]) < 0)
		return NULL;
	return text;
}

char *policy_rule_value(const struct policy_rule *rule, const struct policy_key *key)
{
	const void *field = (const char *)rule + key->offset;

	if (strcmp(key->section, "allow") != 0)
		return NULL;
	if (key->kind == POLICY_WORDS || key->kind == POLICY_PATHS)
		return policy_text_join(*(const char *const *)field);
	if (key->kind == POLICY_SWITCH)
		return strdup(*(const bool *)field ? "yes" : "no");
	return number_text(*(const uint64_t *)field, key->kind == POLICY_SIZE);
}

static void policy_free_rule(struct policy_rule *rule)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (strcmp(policy_keys[i].section, "allow") == 0 &&
		    policy_keys[i].kind <= POLICY_PATHS)
			free(*(char **)(void *)((char *)rule + policy_keys[i].offset));
	free(rule);
}

void policy_free(struct policy **policy)
{
	struct policy *p = *policy;

	if (!p)
		return;
	for (struct policy_rule *rule = p->rules, *next; rule; rule = next) {
		next = rule->next;
		policy_free_rule(rule);
	}
	for (struct policy_range *range = p->ranges, *next; range; range = next) {
		next = range->next;
		free(range);
	}
	free(p->file);
	free(p);
	*policy = NULL;
}
