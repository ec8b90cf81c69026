#include "frontend/paths.h"

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static char *join(struct error **err, const char *a, const char *b, const char *c)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", a, b, c) >= 0)
		return path;
	error_set(err, ERR_SPACE, "out of memory");
	return NULL;
}

/* True where this program lies in its build folder; EXE then holds its path. */
static bool runs_from_build(char exe[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", exe, PATH_MAX - 1);
	size_t length = strlen(ROOTLET_BUILD_DIR);

	if (n <= 0)
		return false;
	exe[n] = '\0';
	return strncmp(exe, ROOTLET_BUILD_DIR, length) == 0 && exe[length] == '/';
}

char *paths_helper(struct error **err)
{
	char exe[PATH_MAX];
	char *path, *end;

	if (!runs_from_build(exe))
		return join(err, ROOTLET_LIBEXECDIR, "/rootlet-helper", "");
	for (int i = 0; i < 2; i++)
		if ((end = strrchr(exe, '/')))
			*end = '\0';
	path = join(err, exe, "/helper/rootlet-helper", "");
	if (path && access(path, X_OK) == 0)
		return path;
	/* A test program, one folder deeper or shallower. */
	free(path);
	return join(err, ROOTLET_BUILD_DIR, "/helper/rootlet-helper", "");
}

char *paths_policy(const char *relative, struct error **err)
{
	char exe[PATH_MAX];

	if (runs_from_build(exe))
		return join(err, ROOTLET_SOURCE_DIR, "/policy/", relative);
	return join(err, ROOTLET_DATADIR, "/", relative);
}

char *paths_home(struct error **err)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (home && home[0] == '/')
		return join(err, home, "", "");
	user = getpwuid(getuid());
	if (user && user->pw_dir && user->pw_dir[0] == '/')
		return join(err, user->pw_dir, "", "");
	error_set(err, ERR_MISSING,
		  "cannot tell your home folder: HOME is not set and the password "
		  "database has no entry for uid %u; set HOME",
		  (unsigned)getuid());
	return NULL;
}

/* RELATIVE in the folder that VARIABLE names, else in FALLBACK of the home. */
static char *below(const char *variable, const char *fallback, const char *relative,
		   struct error **err)
{
	const char *folder = getenv(variable);
	_cleanup_free_ char *home = NULL;

	if (folder && folder[0] == '/')
		return join(err, folder, "/rootlet/", relative);
	home = paths_home(err);
	return home ? join(err, home, fallback, relative) : NULL;
}

char *paths_config(const char *relative, struct error **err)
{
	return below("XDG_CONFIG_HOME", "/.config/rootlet/", relative, err);
}

char *paths_state(const char *relative, struct error **err)
{
	return below("XDG_STATE_HOME", "/.local/state/rootlet/", relative, err);
}

int paths_make_parents(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		int result;

		*slash = '\0';
		result = mkdir(copy, 0700);
		*slash = '/';
		if (result < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return -1;
	}
	return copy ? 0 : -1;
}
