/* Reads the files that fstests leaves in the results directory: [SECTION/]NAME.notrun, NAME.dmesg,
 * NAME.kmemleak, NAME.out.bad, and [SECTION/]check.log. The guest writes them, so they are
 * untrusted: names cannot lead outside the directory, sizes are bounded, and control characters are
 * removed from text. Source: check and common/rc of fstests. */
#pragma once

#include "frontend/fstests/results.h"

struct result_text {
	char reason[1024], detail[16384];
};

/* Adds details from the files below `dir` to RESULT, which holds what check printed: why a test
 * did not run, the kernel messages if check found a problem in dmesg, the memory that it leaked,
 * and a test's output if check showed no diff. RESULT then points into TEXT. */
void result_files_add(int dir, struct test_result *result, struct result_text *text);

/* Returns the test's NAME.kmemleak (kmemleak.h) if check found memory that RESULT's test leaked, or
 * NULL. The caller frees it. */
char *result_files_leaks(int dir, const struct test_result *result);

/* Marks tests as failed that GUEST's check.log lists under "Failures", whatever check's output
 * said. Returns how many RESULTS changed, or -1 with ERR set. */
int result_files_compare(int dir, unsigned int guest, struct results *results, struct error **err);

/* Returns the line, in the files of RESULT's test, in which the loader, the shell or the kernel
 * reports that a program of fstests or of the rootfs cannot start; NULL if there was none. Programs
 * on the filesystems under test are the test's own business. The caller frees it. */
char *result_files_unstartable(int dir, const struct test_result *result);
