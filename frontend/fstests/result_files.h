/* What fstests leaves beside its output: below the folder of results [SECTION/]NAME.notrun,
 * NAME.dmesg, NAME.out.bad, and [SECTION/]check.log. The guest writes them: names lead nowhere
 * else, sizes have bounds, and what is taken of them is text without control characters. Source:
 * check and common/rc of fstests. */
#pragma once

#include "frontend/fstests/results.h"

struct result_text {
	char reason[1024], detail[16384];
};

/* Adds to RESULT, which is what check printed, what the files below FOLDER tell more: why a test
 * did not run in full, what the kernel said where check found something in its log, what a test
 * printed where check shows no difference. RESULT then points into TEXT. */
void result_files_add(int folder, struct test_result *result, struct result_text *text);

/* What check.log has among the failures failed, whatever check's output looked like on its way
 * here. Returns how many of RESULTS are others now, or -1 with ERR set. */
int result_files_compare(int folder, struct results *results, struct error **err);

/* The line in which the loader, the shell or the kernel says that a program of fstests or of the
 * rootfs cannot be started, in what RESULT's test left; NULL where there is none. Programs that lie
 * on the filesystems under test are the test's business. The caller's to free. */
char *result_files_unstartable(int folder, const struct test_result *result);
