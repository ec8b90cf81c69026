/* The words that fstests' check is given: what is wrong with them, before a guest is booted to find
 * out; the files that they name; and which of them a later boot of the same run needs.
 * Source: check of fstests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/test_plan.h"
#include "lib/error.h"

/* ERR_INPUT where check would refuse WORDS, or ignore one that its user means: an option behind the
 * names of tests, one without its value, a test that the built tree TREE (NULL: unknown) lacks. */
int check_words_test(char *const *words, size_t count, const char *tree, struct error **err);

struct check_file {
	char *text;
	size_t size; /* bytes */
};

/* The words as check gets them in the guest, and the content of the files that they name. */
struct check_words {
	char **words; /* NULL-terminated */
	size_t count;
	struct check_file *files;
	size_t file_count;
};

/* Reads the file of each -E, below the working directory or else below the fstests tree TREE, and
 * has the word name the guest's copy of it. ERR_INPUT where there is none: check would exclude
 * nothing, and not say so. OUT is the caller's to clear. */
int check_words_read(char *const *words, size_t count, const char *tree, struct check_words *out,
		     struct error **err);

/* Writes those files into the directory that is RESULTS_SHARE in the guest. */
int check_words_write(const struct check_words *words, int results, struct error **err);
void check_words_clear(struct check_words *words);

/* Puts the options that say how tests run, not which, before the words of BATCH. Returns -1 if
 * memory is short. */
int check_words_keep(char *const *words, size_t count, struct batch *batch);
