#include "policy/privilege_sets.h"

#include <linux/capability.h>

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* clang-format off */
const struct privileges privilege_sets[PRIVILEGES_COUNT] = {
	[PRIVILEGES_WAITER] = { "waiter", 0, true, false, FILES_NONE },
	[PRIVILEGES_AUDIT] = { "audit", 0, true, false, FILES_NONE },
	[PRIVILEGES_PARSER] = { "parser", 0, true, false, FILES_NONE },
	[PRIVILEGES_JAILER] = { "jailer",
				CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(SETUID) |
					CAP(SETGID) | CAP(SETFCAP),
				false, false, FILES_ANY },
	[PRIVILEGES_JAIL] = { "jail",
			      CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) |
				      CAP(SETUID) | CAP(SETGID) | CAP(SETFCAP) | CAP(KILL),
			      false, true, FILES_TREE },
	/* What it unpacks for debootstrap, dpkg unpacks again in the tree's jail, except for
	 * directories, which keep their setgid bit only with FSETID. DAC_READ_SEARCH: images
	 * contain files that only their owner may read. */
	[PRIVILEGES_TOOL] = { "tool", CAP(CHOWN) | CAP(DAC_READ_SEARCH) | CAP(FSETID),
			      false, true, FILES_TOOL },
	[PRIVILEGES_UNPACK] = { "unpacker",
				CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID),
				true, true, FILES_TREE },
	/* SETFCAP: a published tree may have files with capabilities. */
	[PRIVILEGES_ASSEMBLER] = { "assembler",
				   CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) |
					   CAP(SETFCAP),
				   true, true, FILES_TREE },
	/* FOWNER: to find out whether an owner is mapped (count.c). */
	[PRIVILEGES_READER] = { "reader",
				CAP(DAC_READ_SEARCH) | CAP(FOWNER),
				true, true, FILES_TREE },
	[PRIVILEGES_COPIER] = { "copier",
				CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(SETFCAP),
				true, true, FILES_TREE },
	[PRIVILEGES_REMOVER] = { "remover",
				 CAP(DAC_OVERRIDE) | CAP(FOWNER),
				 true, true, FILES_TREE },
	[PRIVILEGES_FETCH] = { "fetch", 0, true, false, FILES_CACHE },
};
/* clang-format on */
