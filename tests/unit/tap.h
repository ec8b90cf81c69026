/* The unit test framework: prints a TAP line for meson per check. main() returns tap_done(). */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static unsigned tap_count, tap_failures;

#define tap_check(condition, ...) tap_report((condition), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 4, 5))) static inline void
tap_report(bool good, const char *file, int line, const char *format, ...)
{
	va_list ap;

	printf("%sok %u - ", good ? "" : "not ", ++tap_count);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	if (!good) {
		printf("# at %s:%d\n", file, line);
		tap_failures++;
	}
	fflush(stdout);
}

/* WHOSE: as for getrusage(2). Returns seconds. */
static inline double tap_processor(int whose)
{
	struct rusage used = { 0 };

	getrusage(whose, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* For tests/count, like tests/support/tap.py. */
static inline int tap_done(void)
{
	printf("# processor: %.2f s\n",
	       tap_processor(RUSAGE_SELF) + tap_processor(RUSAGE_CHILDREN));
	printf("1..%u\n", tap_count);
	return tap_failures != 0;
}

static inline bool tap_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}
