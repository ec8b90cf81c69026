#include "frontend/vm/vng_places.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "frontend/cli/child.h"
#include "frontend/cli/paths.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Directories that root owns and everyone may read. The last two belong to Nix and Guix. */
static const char *const system_places[] = { "/usr",	"/bin",	      "/sbin",
					     "/lib",	"/lib32",     "/lib64",
					     "/libx32", "/nix/store", "/gnu/store" };

/* Parts of /etc that ld.so, libmagic, qemu and Debian's alternatives links need. */
static const char *const settings[] = { "/etc/ld.so.cache", "/etc/ld-musl-x86_64.path",
					"/etc/alternatives", "/etc/magic", "/etc/qemu" };

/* Parts of a prefix with programs in bin. A venv has pyvenv.cfg; pyenv has shims and versions. */
static const char *const prefix_parts[] = { "bin",	  "sbin",	   "lib",
					    "lib64",	  "libexec",	   "pyvenv.cfg",
					    "share/qemu", "share/seabios", "share/misc",
					    "shims",	  "versions",	   "version" };

/* Parts of a virtme-ng checkout. */
static const char *const checkout_parts[] = { "vng",	   "virtme-run",	"bin",
					      "virtme",	   "virtme_ng",		"virtme_ng_init",
					      "virtme-ng", "virtme-mkinitramfs" };

/* An interpreter may itself be a script with an interpreter, and so on. */
#define INTERPRETERS_MOST 4

struct search {
	struct vng_places *places;
	char *home; /* NULL if unknown */
};

/* Whether PATH is ROOT or below it. */
static bool lies_in(const char *path, const char *root)
{
	size_t length = strlen(root);

	return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool is_system(const char *path)
{
	for (size_t i = 0; i < sizeof(system_places) / sizeof(*system_places); i++)
		if (lies_in(path, system_places[i]))
			return true;
	return false;
}

/* Adds PATH if it exists. Never adds a home directory or one of its parents, whatever names it. */
static int vng_places_add_place(struct search *s, const char *path, struct error **err)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	struct vng_places *p = s->places;
	char **more;

	if (*path != '/' || !real || strcmp(real, "/") == 0)
		return 0;
	if (!is_system(real) && s->home && lies_in(s->home, real))
		return 0;
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->path[i], path) == 0)
			return 0;
	more = realloc(p->path, (p->count + 1) * sizeof(*more));
	if (!more)
		return error_no_memory(err);
	p->path = more;
	p->path[p->count] = strdup(path);
	if (!p->path[p->count])
		return error_no_memory(err);
	p->count++;
	return 0;
}

static int add_parts(struct search *s, const char *dir, const char *const *parts, size_t count,
		     struct error **err)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, parts[i]) < 0)
			return error_no_memory(err);
		if (vng_places_add_place(s, path, err) < 0)
			return -1;
	}
	return 0;
}

static bool vng_places_has(const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/%s", dir, name) >= 0 && access(path, F_OK) == 0;
}

/* Adds the surroundings of a program that is not part of the system: its prefix, a virtme-ng
 * checkout, or qemu's build directory. */
static int add_surroundings(struct search *s, const char *real, struct error **err)
{
	_cleanup_free_ char *dir = strdup(real);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		return error_no_memory(err);
	*slash = '\0';
	if (vng_places_has(dir, "virtme_ng"))
		return add_parts(s, dir, checkout_parts,
				 sizeof(checkout_parts) / sizeof(*checkout_parts), err);
	slash = strrchr(dir, '/');
	if (!slash)
		return 0;
	if (strcmp(slash, "/bin") == 0 || strcmp(slash, "/sbin") == 0 ||
	    strcmp(slash, "/libexec") == 0 || strcmp(slash, "/shims") == 0) {
		*slash = '\0';
		return add_parts(s, dir, prefix_parts, sizeof(prefix_parts) / sizeof(*prefix_parts),
				 err);
	}
	if (!vng_places_has(dir, "qemu-bundle"))
		return 0;
	if (vng_places_add_place(s, dir, err) < 0)
		return -1;
	*slash = '\0';
	return add_parts(s, dir, (const char *const[]){ "pc-bios" }, 1, err);
}

/* Returns the first NAME in PATH, or NULL if not found. The caller frees it. */
static char *vng_places_find_program(const char *name)
{
	_cleanup_free_ char *path = vng_path();
	char *state = NULL;

	for (char *dir = path ? strtok_r(path, ":", &state) : NULL; dir;
	     dir = strtok_r(NULL, ":", &state)) {
		char *program;

		if (*dir == '/' && asprintf(&program, "%s/%s", dir, name) >= 0) {
			if (access(program, X_OK) == 0)
				return program;
			free(program);
		}
	}
	return NULL;
}

/* Returns the interpreter of a script, searched for in PATH if the script uses env(1), or NULL if
 * PROGRAM is not a script. The caller frees it. */
static char *read_interpreter(const char *program)
{
	_cleanup_fclose_ FILE *in = fopen(program, "re");
	char line[PATH_MAX], *state = NULL, *word;

	if (!in || !fgets(line, sizeof(line), in) || strncmp(line, "#!", 2) != 0)
		return NULL;
	word = strtok_r(line + 2, " \t\n", &state);
	if (!word)
		return NULL;
	if (strcmp(word, "/usr/bin/env") != 0)
		return strdup(word);
	do
		word = strtok_r(NULL, " \t\n", &state);
	while (word && (*word == '-' || strchr(word, '=')));
	return word ? vng_places_find_program(word) : NULL;
}

/* Adds the places where this Python finds virtme-ng: its module path, including user sites, *.pth
 * files and editable installs, and the packages. */
static int add_python(struct search *s, const char *python, struct error **err)
{
	static const char question[] =
		"import sys\n"
		"from importlib.util import find_spec\n"
		"for path in sys.path: print(path)\n"
		"for name in 'virtme', 'virtme_ng':\n"
		"    spec = find_spec(name)\n"
		"    for path in spec and spec.submodule_search_locations or (): print(path)\n";
	const char *argv[] = { python, "-c", question, NULL };
	int out = memfd_create("places", MFD_CLOEXEC);
	_cleanup_fclose_ FILE *in = out < 0 ? NULL : fdopen(out, "r+");
	_cleanup_error_ struct error *ignored = NULL;
	char line[PATH_MAX];
	pid_t pid;

	/* If this fails, vng will report why it does not start. */
	if (!in || child_start(argv, (int[3]){ -1, out, -1 }, &pid, &ignored) < 0 ||
	    child_wait(pid, &ignored) < 0)
		return 0;
	rewind(in);
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (!is_system(line) && vng_places_add_place(s, line, err) < 0)
			return -1;
		/* In a checkout, the scripts lie beside the packages. */
		if (!is_system(line) && strlen(line) > strlen("/virtme_ng") &&
		    strcmp(line + strlen(line) - strlen("/virtme_ng"), "/virtme_ng") == 0 &&
		    add_surroundings(s, line, err) < 0)
			return -1;
	}
	return 0;
}

/* Adds a program and what it needs. vng will report a missing one. */
static int add_program(struct search *s, const char *name, struct error **err)
{
	char *path = *name == '/' ? strdup(name) : vng_places_find_program(name);
	bool foreign = false;
	int result = 0;

	for (int i = 0; path && result == 0 && i < INTERPRETERS_MOST; i++) {
		_cleanup_free_ char *real = realpath(path, NULL);
		const char *base = strrchr(path, '/');
		char *interpreter;

		if (!real)
			break;
		result = vng_places_add_place(s, path, err);
		/* A venv's Python is a link out of the venv. */
		if (result == 0 && !is_system(path))
			result = add_surroundings(s, path, err);
		if (result == 0 && !is_system(real))
			result = add_surroundings(s, real, err);
		foreign = foreign || !is_system(path) || !is_system(real);
		if (result == 0 && foreign && base && strncmp(base, "/python", 7) == 0) {
			result = add_python(s, path, err);
			break;
		}
		interpreter = read_interpreter(path);
		free(path);
		path = interpreter;
	}
	free(path);
	return result;
}

/* Adds the caller's library path, which vng_exec() keeps in the environment. */
static int add_library_path(struct search *s, struct error **err)
{
	const char *value = getenv("LD_LIBRARY_PATH");
	_cleanup_free_ char *copy = strdup(value ? value : "");
	char *state = NULL;

	for (char *dir = copy ? strtok_r(copy, ":", &state) : NULL; dir;
	     dir = strtok_r(NULL, ":", &state))
		if (vng_places_add_place(s, dir, err) < 0)
			return -1;
	return 0;
}

struct vng_emulator vng_emulator_find(void)
{
	/* Machines of uname(2), by their beginnings, whose emulators have another name or package.
	 */
	static const struct {
		const char *machine, *name, *package;
	} rows[] = {
		{ "x86_64", "x86_64", "qemu-system-x86" },
		{ "i386", "i386", "qemu-system-x86" },
		{ "i686", "i386", "qemu-system-x86" },
		{ "aarch64", "aarch64", "qemu-system-arm" },
		{ "arm", "arm", "qemu-system-arm" },
		{ "ppc64", "ppc64", "qemu-system-ppc" },
		{ "mips64", "mips64el", "qemu-system-mips" },
	};
	struct vng_emulator e = { .package = "qemu-system-misc" };
	const char *name;
	struct utsname host;

	uname(&host);
	name = host.machine;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strncmp(host.machine, rows[i].machine, strlen(rows[i].machine)) == 0) {
			name = rows[i].name;
			e.package = rows[i].package;
			break;
		}
	snprintf(e.program, sizeof(e.program), "qemu-system-%.32s", name);
	return e;
}

static int find_all(struct search *s, struct error **err)
{
	const struct vng_emulator qemu = vng_emulator_find();

	for (size_t i = 0; i < sizeof(system_places) / sizeof(*system_places); i++)
		if (vng_places_add_place(s, system_places[i], err) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (vng_places_add_place(s, settings[i], err) < 0)
			return -1;
	if (add_program(s, "vng", err) < 0 || add_program(s, "virtme-run", err) < 0 ||
	    add_program(s, qemu.program, err) < 0 || add_program(s, "qemu-kvm", err) < 0 ||
	    add_program(s, "virtiofsd", err) < 0 || add_program(s, "file", err) < 0)
		return -1;
	return add_library_path(s, err);
}

/* Includes sbin: vng calls modprobe, and unprivileged logins often lack sbin in PATH. */
char *vng_path(void)
{
	const char *own = getenv("PATH");
	char *path;

	return asprintf(&path, "%s%s" SYSTEM_PATH, own ? own : "", own ? ":" : "") < 0 ? NULL
										       : path;
}

int vng_places_find(struct vng_places *places, struct error **err)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *home = paths_home(&ignored);
	struct search s = { .places = places, .home = home ? realpath(home, NULL) : NULL };
	int result;

	*places = (struct vng_places){ 0 };
	result = find_all(&s, err);
	free(s.home);
	if (result < 0)
		vng_places_free(places);
	return result;
}

void vng_places_free(struct vng_places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->path[i]);
	free(places->path);
	*places = (struct vng_places){ 0 };
}
