#include "frontend/cli/paths.h"

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Directories between a build directory and its deepest program, BUILD/tests/fuzz/PROGRAM. */
#define PROGRAM_DEPTH 2

static char *paths_join(struct error **err, const char *a, const char *b, const char *c)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", a, b, c) >= 0)
		return path;
	error_no_memory(err);
	return NULL;
}

/* Whether this program is in a build directory, whose path BUILD then is. */
static bool runs_from_build(char build[static PATH_MAX])
{
	static const char mark[] = "/build.ninja";
	ssize_t n = readlink("/proc/self/exe", build, PATH_MAX - sizeof(mark));

	if (n <= 0)
		return false;
	build[n] = '\0';
	for (int i = 0; i <= PROGRAM_DEPTH; i++) {
		char *end = strrchr(build, '/');

		if (!end)
			return false;
		memcpy(end, mark, sizeof(mark));
		n = access(build, F_OK);
		*end = '\0';
		if (i > 0 && n == 0)
			return true;
	}
	return false;
}

/* The path of a program, which is NAME if installed, and BUILT in a build directory. A package can
 * install a second copy of the helper, with capabilities, for the members of a group; everyone else
 * has the one without. */
static char *paths_find_program(const char *name, const char *built, struct error **err)
{
	const char *directory = ROOTLET_LIBEXECDIR;
	char build[PATH_MAX];

	if (runs_from_build(build))
		return paths_join(err, build, "/", built);
	if (access(ROOTLET_PRIVILEGED "/rootlet-helper", X_OK) == 0)
		directory = ROOTLET_PRIVILEGED;
	return paths_join(err, directory, "/", name);
}

char *paths_helper(struct error **err)
{
	return paths_find_program("rootlet-helper", "helper/rootlet-helper", err);
}

char *paths_userns(struct error **err)
{
	return paths_find_program("rootlet-userns", "frontend/rootlet-userns", err);
}

char *paths_data(const char *relative, struct error **err)
{
	char build[PATH_MAX];
	_cleanup_free_ char *source = NULL, *real = NULL;

	if (!runs_from_build(build))
		return paths_join(err, ROOTLET_DATADIR, "/", relative);
	source = paths_join(err, build, "/", ROOTLET_SOURCE_FROM_BUILD "/frontend");
	real = source ? realpath(source, NULL) : NULL;
	return source ? paths_join(err, real ? real : source, "/", relative) : NULL;
}

char *paths_home(struct error **err)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (home && home[0] == '/')
		return paths_join(err, home, "", "");
	user = getpwuid(getuid());
	if (user && user->pw_dir && user->pw_dir[0] == '/')
		return paths_join(err, user->pw_dir, "", "");
	error_set(err, ERR_MISSING,
		  "cannot find your home directory: HOME is not set and the password "
		  "database has no entry for uid %u; set HOME",
		  (unsigned)getuid());
	return NULL;
}

/* Below $VARIABLE if that is absolute, else below $HOME/OTHERWISE. */
static char *join_base(const char *variable, const char *otherwise, const char *relative,
		       struct error **err)
{
	const char *base = getenv(variable);
	_cleanup_free_ char *home = NULL;

	if (base && base[0] == '/')
		return paths_join(err, base, "/rootlet/", relative);
	home = paths_home(err);
	return home ? paths_join(err, home, otherwise, relative) : NULL;
}

char *paths_config(const char *relative, struct error **err)
{
	return join_base("XDG_CONFIG_HOME", "/.config/rootlet/", relative, err);
}

char *paths_state(const char *relative, struct error **err)
{
	return join_base("XDG_STATE_HOME", "/.local/state/rootlet/", relative, err);
}
