/* Reads the host's apt configuration to find the mirror that its administrator chose.
 * Formats: sources.list(5), deb822 *.sources and one-line *.list. Ignores files that cannot be read
 * or parsed: the signature check catches a wrong guess later. */
#pragma once

#include <stddef.h>

/* One URI with one suite. An entry with several URIs or suites becomes several of these. */
struct apt_entry {
	char *uri, *suite;
	char *components; /* separated by spaces; may be "" */
	char *keyring;	  /* Signed-By, or "" */
};

struct apt_entries {
	struct apt_entry *list;
	size_t count;
};

/* Both append the enabled binary package entries of TEXT. Return 0, or -1 if out of memory. */
int apt_parse_deb822(const char *text, struct apt_entries *entries);
int apt_parse_list(const char *text, struct apt_entries *entries);

/* Reads all files of an apt configuration directory ("/etc/apt"), in apt's order. */
int apt_read(const char *dir, struct apt_entries *entries);

void apt_entries_clear(struct apt_entries *entries);
