#include "frontend/vm/kernel_features.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "frontend/archive/decompress.h"
#include "frontend/cli/tree.h"
#include "frontend/vm/kernel_payload.h"

#define CONFIG_MOST (4u << 20)
#define LIST_MOST (16u << 20)

struct kernel_features {
	char *config;		/* text, or NULL */
	char *builtin, *depend; /* modules.builtin and modules.dep, or NULL */
	bool modules;
};

void kernel_features_free(struct kernel_features **features)
{
	struct kernel_features *f = *features;

	if (!f)
		return;
	free(f->config);
	free(f->builtin);
	free(f->depend);
	free(f);
	*features = NULL;
}

static char *read_in(const char *dir, const char *name, size_t most)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_error_ struct error *ignored = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	return file_read(path, most, NULL, &ignored);
}

/* IKCONFIG: a gzip file between two markers. */
static char *find_config(const char *kernel, size_t size)
{
	static const char begin[] = "IKCFG_ST", end[] = "IKCFG_ED";
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_close_ int fd = -1;
	const char *from = memmem(kernel, size, begin, strlen(begin)), *to;
	size_t length;

	if (!from)
		return NULL;
	from += strlen(begin);
	to = memmem(from, size - (size_t)(from - kernel), end, strlen(end));
	if (!to)
		return NULL;
	fd = kernel_part(from, (size_t)(to - from));
	return fd < 0 ? NULL : decompress(fd, CONFIG_MOST, &length, &ignored);
}

static char *read_ikconfig(const char *path)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_close_ int fd = kernel_payload_open(path, &ignored);
	struct stat st;
	char *config;
	void *kernel;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	kernel = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (kernel == MAP_FAILED)
		return NULL;
	config = find_config(kernel, (size_t)st.st_size);
	munmap(kernel, (size_t)st.st_size);
	return config;
}

/* If a build directory has no modules, the image's path is all we know. */
static char *read_build_config(const struct kernel *k)
{
	_cleanup_free_ char *dir = kernel_build_directory(k);

	return dir ? read_in(dir, ".config", CONFIG_MOST) : NULL;
}

/* Looks where distributions and build directories put it. */
static char *read_config(const struct kernel *k)
{
	_cleanup_free_ char *dir = strdup(k->image);
	_cleanup_free_ char *name = NULL;
	char *slash = dir ? strrchr(dir, '/') : NULL, *config = NULL;

	config = read_build_config(k);
	if (config)
		return config;
	if (slash)
		*slash = '\0';
	if (slash && k->version && asprintf(&name, "config-%s", k->version) >= 0)
		config = read_in(dir, name, CONFIG_MOST);
	if (slash && !config)
		config = read_in(dir, "config", CONFIG_MOST);
	if (slash && !config)
		config = read_in(dir, ".config", CONFIG_MOST);
	if (!config && k->modules)
		config = read_in(k->modules, "config", CONFIG_MOST);
	return config ? config : read_ikconfig(k->image);
}

struct kernel_features *kernel_features_read(const struct kernel *kernel)
{
	struct kernel_features *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->config = read_config(kernel);
	f->modules = kernel->modules || kernel->build;
	if (kernel->modules) {
		f->builtin = read_in(kernel->modules, "modules.builtin", LIST_MOST);
		f->depend = read_in(kernel->modules, "modules.dep", LIST_MOST);
	}
	return f;
}

/* Returns 'y', 'm' or 'n'. */
static char config_value(const char *config, const char *option)
{
	size_t length = strlen(option);
	const char *line = config;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, "CONFIG_", 7) == 0 && strncmp(line + 7, option, length) == 0 &&
		    line[7 + length] == '=')
			return line[8 + length] == 'm' ? 'm' : 'y';
	return 'n';
}

/* Module names have "_" where file names may have "-". */
static bool same_module(const char *name, const char *file, size_t length)
{
	if (strlen(name) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] != file[i] && !(name[i] == '_' && file[i] == '-'))
			return false;
	return true;
}

/* Returns the line of LIST (modules.dep or modules.builtin) for MODULE's file, or NULL. */
static const char *find_line(const char *list, const char *module)
{
	const char *line = list;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t length = strcspn(line, ":\n");
		const char *base = memrchr(line, '/', length);
		const char *dot;

		base = base ? base + 1 : line;
		dot = memchr(base, '.', length - (size_t)(base - line));
		if (dot && same_module(module, base, (size_t)(dot - base)))
			return line;
	}
	return NULL;
}

const char *kernel_config(const struct kernel_features *f)
{
	return f ? f->config : NULL;
}

enum kernel_feature kernel_feature(const struct kernel_features *f, const char *option,
				   const char *module)
{
	char value = f && f->config ? config_value(f->config, option) : 0;

	if (value == 'y')
		return FEATURE_BUILTIN;
	if (value == 'n')
		return FEATURE_ABSENT;
	if (value == 'm')
		return f->modules ? FEATURE_MODULE : FEATURE_ABSENT;
	if (!f || !f->depend)
		return FEATURE_UNKNOWN;
	if (find_line(f->depend, module))
		return FEATURE_MODULE;
	return f->builtin && find_line(f->builtin, module) ? FEATURE_BUILTIN : FEATURE_ABSENT;
}

static bool add_module(char ***list, size_t *count, const char *path, size_t length)
{
	char **larger;

	for (size_t i = 0; i < *count; i++)
		if (strncmp((*list)[i], path, length) == 0 && !(*list)[i][length])
			return true;
	larger = reallocarray(*list, *count + 2, sizeof(*larger));
	if (!larger)
		return false;
	*list = larger;
	larger[*count] = strndup(path, length);
	larger[*count + 1] = NULL;
	return larger[*count] && ++*count;
}

/* Reads "a.ko: b.ko c.ko" backwards: dependencies follow the module, the deepest last. */
bool modules_needed(const char *dir, const char *module, char ***list, size_t *count)
{
	_cleanup_free_ char *text = read_in(dir, "modules.dep", LIST_MOST);
	const char *line = text ? find_line(text, module) : NULL;
	const char *end;
	bool good = true;

	if (!line)
		return false;
	end = line + strcspn(line, "\n");
	while (good && end > line) {
		const char *word = end;

		while (word > line && word[-1] != ' ')
			word--;
		if (end > word)
			good = add_module(list, count, word,
					  (size_t)(end - word) - (end[-1] == ':'));
		end = word > line ? word - 1 : line;
	}
	return good;
}
