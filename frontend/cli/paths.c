#include "frontend/cli/paths.h"

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>

static char *paths_join(struct error **err, const char *a, const char *b, const char *c)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", a, b, c) >= 0)
		return path;
	error_no_memory(err);
	return NULL;
}

/* Whether this program is in its build directory; EXE is then its path. */
static bool runs_from_build(char exe[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", exe, PATH_MAX - 1);
	size_t length = strlen(ROOTLET_BUILD_DIR);

	if (n <= 0)
		return false;
	exe[n] = '\0';
	return strncmp(exe, ROOTLET_BUILD_DIR, length) == 0 && exe[length] == '/';
}

/* The path of a program, which is NAME if installed, and BUILT in a build directory. */
static char *paths_find_program(const char *name, const char *built, struct error **err)
{
	char exe[PATH_MAX];
	char *path, *end;

	if (!runs_from_build(exe))
		return paths_join(err, ROOTLET_LIBEXECDIR, "/", name);
	for (int i = 0; i < 2; i++)
		if ((end = strrchr(exe, '/')))
			*end = '\0';
	path = paths_join(err, exe, "/", built);
	if (path && access(path, X_OK) == 0)
		return path;
	/* This is a test program, at another depth. */
	free(path);
	return paths_join(err, ROOTLET_BUILD_DIR, "/", built);
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
	char exe[PATH_MAX];

	if (runs_from_build(exe))
		return paths_join(err, ROOTLET_SOURCE_DIR, "/frontend/", relative);
	return paths_join(err, ROOTLET_DATADIR, "/", relative);
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
