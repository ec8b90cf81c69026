/* The host's own apt configuration, read for one thing: which mirror its administrator chose.
 * Formats: sources.list(5), deb822 *.sources and one-line *.list. A file that cannot be read or
 * parsed is passed over, as a wrong guess is caught by the signature later. */
#pragma once

#include <stddef.h>

/* One URI with one suite; an entry that names several of either becomes several of these. */
struct apt_entry {
	char *uri, *suite;
	char *components; /* separated by spaces; may be "" */
	char *keyring;	  /* Signed-By, or "" */
};

struct apt_entries {
	struct apt_entry *list;
	size_t count;
};

/* Each appends what TEXT enables for binary packages. Returns 0, or -1 where memory is short. */
int apt_parse_deb822(const char *text, struct apt_entries *entries);
int apt_parse_list(const char *text, struct apt_entries *entries);

/* Everything below FOLDER ("/etc/apt"), in apt's order. */
int apt_read(const char *folder, struct apt_entries *entries);

void apt_entries_clear(struct apt_entries *entries);
