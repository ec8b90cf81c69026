/* The findings of `rootlet doctor`. Each row of the table in doctor.c is a probe: it makes one
 * finding, and changes nothing. */
#pragma once

#include <stdbool.h>

#include "lib/cleanup.h"

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_MISSING };

/* DETAIL is what was found, FIX the command or advice that fixes it; empty: no fix is known. */
struct finding {
	enum verdict verdict;
	char detail[256];
	char fix[256];
};

/* The functions below set all fields of F. This one takes FIX as it is. */
void finding_set(struct finding *f, enum verdict verdict, const char *fix, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* FIX becomes the host's command to install PACKAGE, which is Debian's name: install_command.h. */
void finding_set_install(struct finding *f, enum verdict verdict, const char *package,
			 const char *format, ...) PRINTF_LIKE(4, 5);

/* FIX becomes the command that adds the user to GROUP. Root runs it, so it names the user. */
void finding_set_join(struct finding *f, enum verdict verdict, const char *group,
		      const char *format, ...) PRINTF_LIKE(4, 5);

/* Looks a program up in PATH and in the sbin directories. Returns its path, which the caller frees,
 * or NULL. */
char *program_find(const char *name);
