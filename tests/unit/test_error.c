/* lib/error.c: codes, messages and ownership. */
#include "lib/error.h"
#include "lib/error_wrap.h"

#include "tap.h"

static void check_set(void)
{
	_cleanup_error_ struct error *err = NULL;

	tap_check(error_set(&err, ERR_TRUST, "%s: %d", "bad", 7) == -1, "error_set returns -1");
	tap_check(err && err->code == ERR_TRUST && err->number == 0 &&
			  tap_same(err->message, "bad: 7"),
		  "error_set stores code and message");
	error_set(&err, ERR_INPUT, "second");
	tap_check(err->code == ERR_TRUST && tap_same(err->message, "bad: 7"),
		  "the first error is kept");
	tap_check(error_wrap(&err, "pocket %s", "updates") == -1 &&
			  tap_same(err->message, "pocket updates: bad: 7"),
		  "error_wrap prepends context");
	error_free(&err);
	tap_check(!err, "error_free leaves NULL");
	error_free(&err);
	tap_check(true, "error_free of NULL");
}

static void check_nowhere(void)
{
	struct error *err = NULL;

	tap_check(error_set(NULL, ERR_INPUT, "x") == -1, "error_set with NULL");
	tap_check(error_wrap(NULL, "x") == -1, "error_wrap with NULL");
	tap_check(error_wrap(&err, "x") == -1 && !err, "error_wrap without an error creates none");
}

static void check_errno(void)
{
	static const struct {
		int number;
		enum error_code asked, got;
	} rows[] = {
		{ ENOENT, ERR_MISSING, ERR_MISSING },
		{ ENOSPC, ERR_SYSTEM, ERR_SPACE },
		{ EDQUOT, ERR_MISSING, ERR_SPACE },
		{ EPERM, ERR_HOST, ERR_HOST },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		char want[128];

		snprintf(want, sizeof(want), "cannot x: %s", strerror(rows[i].number));
		errno = rows[i].number;
		error_errno(&err, rows[i].asked, "cannot %s", "x");
		tap_check(err && err->code == rows[i].got && err->number == rows[i].number &&
				  tap_same(err->message, want),
			  "errno %d becomes %s", rows[i].number, error_code_name(rows[i].got));
		tap_check(errno == rows[i].number, "errno %d is kept", rows[i].number);
	}
}

static void check_names(void)
{
	for (unsigned code = 0; code <= ERR_LAST; code++) {
		const char *name = error_code_name((enum error_code)code);

		tap_check(name && *name && strcmp(name, "unknown") != 0, "code %u has a name",
			  code);
		for (unsigned other = 0; other < code; other++)
			if (tap_same(name, error_code_name((enum error_code)other)))
				tap_check(false, "codes %u and %u share a name", code, other);
	}
	tap_check(tap_same(error_code_name((enum error_code)(ERR_LAST + 1)), "unknown"),
		  "a code beyond the last is unknown");
}

int main(void)
{
	check_set();
	check_nowhere();
	check_errno();
	check_names();
	return tap_done();
}
