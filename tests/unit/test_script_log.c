/* frontend/rootfs/script_log.c: which package's script failed, and its output. */
#include "frontend/rootfs/script_log.h"

#include "tap.h"

static const struct row {
	const char *what, *text;
	const char *package, *reason, *output; /* package NULL: no failure is found */
} rows[] = {
	{ "nothing", "", NULL, NULL, NULL },
	{ "no failure", "Setting up aa (1) ...\nall is well\n", NULL, NULL, NULL },
	{ "a postinst",
	  "Setting up aa (1) ...\nfine\nSetting up bb:amd64 (1:2-3) ...\nx\ny\n"
	  "dpkg: error processing package bb:amd64 (--configure):\n installed bb package "
	  "post-installation script subprocess returned error exit status 75\n"
	  "Errors were encountered while processing:\n bb:amd64\n",
	  "bb:amd64",
	  "installed bb package post-installation script subprocess returned error exit status 75",
	  "x\ny\n" },
	{ "a script without output",
	  "Setting up aa (1) ...\ndpkg: error processing package aa (--configure):\n it failed\n",
	  "aa", "it failed", "" },
	{ "dpkg's own preinst",
	  "Preparing to unpack .../rootlet/aa_.deb ...\nno\n"
	  "dpkg: error processing archive /var/lib/dpkg/rootlet/aa_.deb (--unpack):\n new aa "
	  "package pre-installation script subprocess returned error exit status 1\n",
	  "aa", "new aa package pre-installation script subprocess returned error exit status 1",
	  "no\n" },
	{ "an archive in debootstrap",
	  "Unpacking aa (1) ...\nno\n"
	  "dpkg: error processing archive /var/cache/apt/archives/aa_1%3a2_all.deb (--install):\n "
	  "bad\n",
	  "aa", "bad", "no\n" },
	{ "the plan's preinst",
	  "Preparing to unpack aa ...\nhelp\naa: its preinst script failed with status 3\n", "aa",
	  "its preinst script failed with status 3", "help\n" },
	{ "a package that only waits for another",
	  "dpkg: dependency problems prevent configuration of bb:\n bb depends on aa; however:\n"
	  "dpkg: error processing package bb (--configure):\n dependency problems - leaving "
	  "unconfigured\nSetting up aa (1) ...\nno\ndpkg: error processing package aa "
	  "(--configure):\n it failed\n",
	  "aa", "it failed", "no\n" },
	{ "the first of two failures",
	  "Setting up aa (1) ...\ndpkg: error processing package aa (--configure):\n one\n"
	  "Setting up bb (1) ...\ndpkg: error processing package bb (--configure):\n two\n",
	  "aa", "one", "" },
	{ "an invalid name", "dpkg: error processing package ../x (--configure):\n bad\n", NULL,
	  NULL, NULL },
	{ "no name", "dpkg: error processing package \n: its preinst script failed with status 1\n",
	  NULL, NULL, NULL },
	{ "a truncated log", "dpkg: error processing package aa (--configure):", "aa", "", "" },
};

static void check_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct script_failure f;
		bool found = script_log_find(rows[i].text, &f);

		if (!rows[i].package)
			tap_check(!found, "no package: %s", rows[i].what);
		else
			tap_check(found && tap_same(f.package, rows[i].package) &&
					  tap_same(f.reason, rows[i].reason) &&
					  f.length == strlen(rows[i].output) &&
					  strncmp(f.output, rows[i].output, f.length) == 0,
				  "%s: %s", rows[i].what, rows[i].package);
	}
}

/* A script may print forever: only the last part is kept, starting at a line. */
static void check_room(void)
{
	struct script_log log = { 0 };
	char line[1024];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "%u%0999u", i, 0u);
		script_log_add(line, &log);
	}
	tap_check(log.cut && log.size <= 1 << 20 && log.size > 1 << 18 &&
			  strlen(log.text) == log.size,
		  "only a part of five megabytes is kept");
	tap_check(strncmp(log.text + log.size - strlen(line) - 1, "4999", 4) == 0 &&
			  strcspn(log.text, "\n") == strlen(line),
		  "the last part is kept, in complete lines");
	script_log_clear(&log);
}

static void check_other_errors(void)
{
	struct script_log log = { 0 };
	struct error *err = NULL;

	script_log_add("dpkg: error processing package aa (--configure):", &log);
	error_set(&err, ERR_SPACE, "no space");
	script_log_explain(&log, "x", NULL, &err);
	tap_check(err && tap_same(err->message, "no space"), "a full disk is not a script failure");
	error_free(&err);
	script_log_clear(&log);
}

int main(void)
{
	check_rows();
	check_room();
	check_other_errors();
	return tap_done();
}
