/* What `rootlet doctor` finds out: each row of the table in doctor.c is one probe, and gives one
 * finding. Probes change nothing. */
#pragma once

#include <stdbool.h>

#include "lib/cleanup.h"

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_MISSING };

/* DETAIL is what was found; FIX the command (or advice) that mends it, empty where there is none.
 */
struct finding {
	enum verdict verdict;
	char detail[256];
	char fix[256];
};

/* Each fills the whole of its argument. */
void finding_set(struct finding *f, enum verdict verdict, const char *fix, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* The host's own command that installs the package which Debian calls PACKAGE: "apt install X". */
void finding_set_install(struct finding *f, enum verdict verdict, const char *package,
			 const char *format, ...) PRINTF_LIKE(4, 5);

/* The command that makes the caller a member of GROUP; root runs it, so his name is in it. */
void finding_set_join(struct finding *f, enum verdict verdict, const char *group,
		      const char *format, ...) PRINTF_LIKE(4, 5);

/* Whether a program is in PATH or one of the sbin folders; its path then (the caller's to free). */
char *program_find(const char *name);
