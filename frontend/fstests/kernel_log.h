/* Reads a guest's console as it is printed and extracts the kernel's reports of problems, each with
 * its trace and the test that was running ("run fstests NAME at …"). Sources: Linux lib/bug.c,
 * kernel/panic.c, kernel/locking/lockdep.c, kernel/hung_task.c, kernel/watchdog.c,
 * mm/kasan/report.c, kernel/kcsan/report.c, lib/ubsan.c, mm/oom_kill.c. */
#pragma once

#include <stddef.h>

#include "frontend/fstests/incident.h"

struct kernel_log;

/* INCIDENT is called when the trace is complete: at the next incident, the next test, or the end.
 */
struct kernel_log *kernel_log_new(void (*incident)(const struct incident *incident, void *context),
				  void *context);
void kernel_log_feed(struct kernel_log *k, const char *data, size_t size);
void kernel_log_end(struct kernel_log *k);
void kernel_log_free(struct kernel_log **k);
