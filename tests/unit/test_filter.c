/* helper/worker/unpack/filter.c: which files of a package are excluded. A row is one path, with
 * patterns like the fstests profile's. Expected results: dpkg(1), and dpkg itself, with which
 * tests/integration/engines.py compares. */
#include "helper/worker/unpack/filter.h"

#include "tap.h"

static const char *const list[] = {
	"-/usr/share/doc/*",
	"-/usr/share/locale/*",
	"+/usr/share/doc/*/copyright",
	"+/usr/share/locale/locale.alias",
	"-/usr/share/doc/secret/*",
	"-/usr/share/man/*",
	"+/usr/share/man/man1/sh.1.gz",
};

static const struct row {
	const char *path;
	bool dir, skip;
} rows[] = {
	{ "/usr/bin/ls", false, false },
	{ "/usr/share/doc", true, false },
	{ "/usr/share/docs/x", false, false },
	{ "/usr/share/doc/attr/changelog.gz", false, true },
	{ "/usr/share/doc/attr/examples/deep/x", false, true },
	{ "/usr/share/doc/attr/copyright", false, false },
	{ "/usr/share/doc/attr/examples/copyright", false, false },
	/* Re-included files need their directory, wherever it might be. */
	{ "/usr/share/doc/attr", true, false },
	{ "/usr/share/doc/attr/examples", true, false },
	{ "/usr/share/locale/locale.alias", false, false },
	{ "/usr/share/locale/de", true, true },
	{ "/usr/share/locale/de/LC_MESSAGES/x.mo", false, true },
	/* Also every directory above, and nothing else. */
	{ "/usr/share/man/man1/sh.1.gz", false, false },
	{ "/usr/share/man/man1", true, false },
	{ "/usr/share/man/man", true, true },
	{ "/usr/share/man/man2", true, true },
	{ "/usr/share/man/man1/bash.1.gz", false, true },
	/* The last match decides. */
	{ "/usr/share/doc/secret/copyright", false, true },
};

int main(void)
{
	static const struct words none;
	static struct words filters;

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		words_append(&filters, list[i]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		tap_check(filters_skip(&filters, rows[i].path, rows[i].dir) == rows[i].skip,
			  "%s is %s", rows[i].path, rows[i].skip ? "left out" : "kept");
		tap_check(!filters_skip(&none, rows[i].path, rows[i].dir),
			  "%s is kept without filters", rows[i].path);
	}
	return tap_done();
}
