/* The fields that manifests and lock files share, in JSON. Reading trusts nothing: it bounds counts
 * and lengths and checks the form of every text. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "frontend/rootfs/manifest_content.h"

void json_free(json_t **json);

/* A text that VALID accepts (NULL: anything printable). The caller frees it; NULL: it is missing or
 * malformed. */
char *field_text(const json_t *object, const char *key, bool (*valid)(const char *));

/* The others return false if the value is missing or malformed, or if out of memory. */
bool field_number(const json_t *object, const char *key, uint32_t *out);
bool field_time(const json_t *object, const char *key, int64_t *out);
bool field_dated(const json_t *object, struct manifest *m); /* true if it is missing */
bool valid_hash(const char *s);				    /* a SHA-256 in hex */

/* A missing array is an empty list: *WORDS remains NULL. */
bool field_words(const json_t *array, bool (*valid)(const char *), char ***words);

/* Each fills in the field of M after which it is named. Packages with only a version (manifests of
 * format 1) are accepted if VERSIONS. */
bool fields_take_packages(json_t *object, bool versions, struct manifest *m);
bool fields_take_repositories(const json_t *array, struct manifest *m); /* may be missing */
bool fields_take_releases(const json_t *array, struct manifest *m);
bool fields_take_filters(const json_t *array, struct manifest *m);
bool fields_take_groups(const json_t *array, struct manifest *m);
bool fields_take_users(const json_t *array, struct manifest *m);

/* Return a new reference, or NULL if out of memory. */
json_t *field_of_time(int64_t time);
json_t *field_of_dated(const struct manifest *m); /* also NULL without a dated archive */
json_t *field_of_words(char *const *words);
json_t *fields_of_packages(const struct manifest *m);
json_t *fields_of_repositories(const struct manifest *m);
json_t *fields_of_releases(const struct manifest *m);
json_t *fields_of_filters(const struct manifest *m);
json_t *fields_of_groups(const struct manifest *m);
json_t *fields_of_users(const struct manifest *m);
