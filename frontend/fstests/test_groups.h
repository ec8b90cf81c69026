/* The groups of each test, as the built fstests tree on the host names them: in
 * tests/DIR/group.list, which its build writes, else in the _begin_fstest line of each test, else
 * in tests/DIR/group of trees before 2021. The tree is not trusted: no path leads out of it, and
 * all sizes are bounded. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Tests of this group spoil or are spoiled by what else the machine does. */
#define GROUP_ALONE "unreliable_in_parallel"

struct test_groups;

/* Reads the groups of TREE's tests. ERR_MISSING if it has no directory tests. The caller frees
 * OUT. */
int test_groups_read(const char *tree, struct test_groups **out, struct error **err);

/* Whether TEST ("generic/001") is in GROUP; false if the test or GROUPS is unknown (NULL). */
bool test_groups_has(const struct test_groups *groups, const char *test, const char *group);
bool test_groups_has_test(const struct test_groups *groups, const char *test);

/* The tests by name; none if GROUPS is NULL. */
size_t test_groups_count(const struct test_groups *groups);
const char *test_groups_name(const struct test_groups *groups, size_t i);

/* The groups of test I, separated by spaces. */
const char *test_groups_words(const struct test_groups *groups, size_t i);
void test_groups_free(struct test_groups **groups);
