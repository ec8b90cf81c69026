#include "policy/rule_content.h"

#include <string.h>

#include "lib/hash.h"

void policy_rule_content(const struct policy_rule *rule, char hex[static 2 * SHA256_LEN + 1])
{
	const char *const lists[] = { rule->releases,
				      rule->mirrors,
				      rule->keyrings,
				      rule->repository_keyrings,
				      rule->denied_packages,
				      rule->engines,
				      rule->older_releases ? "yes\0" : "" };
	uint8_t sum[SHA256_LEN];
	struct sha256_ctx hash;

	sha256_init(&hash);
	/* No word is empty, so a NUL more ends each list. */
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		for (const char *word = lists[i]; *word; word = policy_next_word(word))
			sha256_update(&hash, strlen(word) + 1, (const uint8_t *)word);
		sha256_update(&hash, 1, (const uint8_t *)"");
	}
	hash_end(&hash, sum);
	sha256_to_hex(sum, hex);
}
