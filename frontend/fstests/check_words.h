/* The arguments for fstests' check: finds mistakes in them before a guest boots, reads the files
 * that they name, and selects those that later boots of the same run need. Source: check of
 * fstests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/test_plan.h"
#include "lib/error.h"

/* Sets ERR_INPUT if check would reject WORDS or ignore some of them: an option after a test name,
 * an option without its value, or a test that the built tree TREE (NULL if unknown) lacks. */
int check_words_test(char *const *words, size_t count, const char *tree, struct error **err);

/* The option among WORDS that says how often or in which order tests run, or NULL. */
const char *check_words_orders(char *const *words, size_t count);

struct check_file {
	char *text;
	size_t size; /* bytes */
};

/* The arguments as passed to check in the guest, and the contents of the files that they name. */
struct check_words {
	char **words; /* NULL-terminated */
	size_t count;
	struct check_file *files;
	size_t file_count;
};

/* Reads the file of each -E, relative to the working directory or else to the fstests tree TREE,
 * and replaces the argument with the path of the guest's copy. Sets ERR_INPUT if a file is missing:
 * check would exclude nothing, silently. The caller clears OUT. */
int check_words_read(char *const *words, size_t count, const char *tree, struct check_words *out,
		     struct error **err);

/* Writes these files into the directory that is RESULTS_SHARE in the guest. */
int check_words_write(const struct check_words *words, int results, struct error **err);
void check_words_clear(struct check_words *words);

/* Prepends the options that say how tests run, not which ones, to the words of BATCH; with ORDERS
 * also those that say how often and in which order. Returns -1 if out of memory. */
int check_words_keep(char *const *words, size_t count, bool orders, struct batch *batch);
