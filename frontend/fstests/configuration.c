/* Parses the file of a filesystem. Its section [filesystem] is the beginning of every other one. */
#include "frontend/fstests/configuration.h"

#include <string.h>

#include "frontend/archive/package_words.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "lib/error_wrap.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define NAME_MOST 40
#define SHARED "filesystem" /* the section that all configurations of a file share */

struct configuration_parser {
	struct configurations *all;
	struct test_configuration shared;
	size_t first; /* of this file in ALL */
	const char *fs;
	bool own;
	struct ini_text ini;
};

void configuration_clear(struct test_configuration *c)
{
	free(c->fs);
	free(c->name);
	free(c->path);
	free(c->description);
	free(c->fstype);
	free(c->base);
	free(c->mkfs);
	free(c->mount);
	words_free(c->variables);
	words_free(c->kernel);
	words_free(c->tools);
	words_free(c->packages);
	words_free(c->excludes);
	*c = (struct test_configuration){ 0 };
}

void configurations_clear(struct configurations *c)
{
	for (size_t i = 0; i < c->count; i++)
		configuration_clear(&c->list[i]);
	free(c->list);
	*c = (struct configurations){ 0 };
}

bool configuration_valid_name(const char *word)
{
	return *word && strlen(word) <= NAME_MOST && !word[strspn(word, LOWER DIGITS "_")];
}

/* --- values --------------------------------------------------------------------------------- */

static bool valid_type(const char *word)
{
	return *word && !word[strspn(word, LOWER DIGITS "_-")];
}

/* A kernel option, or several separated by "|". */
static bool valid_kernel_option(const char *word)
{
	return *word && !word[strspn(word, UPPER LOWER DIGITS "_|")] &&
	       !text_has_prefix(word, "CONFIG_");
}

static bool valid_tool(const char *word)
{
	return *word && *word != '-' && !word[strspn(word, UPPER LOWER DIGITS "._+-")];
}

/* fstests evaluates what stands in its configuration as a shell does. */
static bool valid_value(const char *text)
{
	return text_is_clean(text) && !strpbrk(text, "\"'`$\\#;&|<>()*?[]{}!~");
}

static bool valid_variable(const char *word)
{
	size_t length = strcspn(word, "=");

	return length && word[length] == '=' && strspn(word, UPPER DIGITS "_") == length &&
	       valid_value(word + length + 1);
}

/* --- keys ----------------------------------------------------------------------------------- */

static int set_text(struct configuration_parser *p, char **to, const char *value,
		    bool (*valid)(const char *))
{
	char *copy;

	if (!valid(value))
		return ini_complain(&p->ini, "\"%.100s\" is not valid here", value);
	copy = strdup(value);
	if (!copy)
		return ini_complain(&p->ini, "out of memory");
	free(*to);
	*to = copy;
	return 1;
}

/* Adds options to those that all configurations of the file have. */
static int add_mount(struct configuration_parser *p, struct test_configuration *c,
		     const char *value)
{
	_cleanup_free_ char *old = c->mount;

	c->mount = NULL;
	if (!valid_value(value) || strchr(value, ' '))
		return ini_complain(&p->ini, "\"%.100s\" is not a list of mount options", value);
	if (asprintf(&c->mount, "%s%s%s", old ? old : "", old ? "," : "", value) >= 0)
		return 1;
	c->mount = NULL;
	return ini_complain(&p->ini, "out of memory");
}

static int configuration_add_variable(struct configuration_parser *p, struct test_configuration *c,
				      const char *value)
{
	size_t count = words_count(c->variables);

	if (!valid_variable(value))
		return ini_complain(&p->ini, "\"%.100s\" is not NAME=VALUE", value);
	return words_add(&c->variables, &count, value) == 0
		       ? 1
		       : ini_complain(&p->ini, "out of memory");
}

static int set_since(struct configuration_parser *p, struct test_configuration *c,
		     const char *value)
{
	unsigned int major, minor;
	char more;

	if (sscanf(value, "%3u.%3u%c", &major, &minor, &more) != 2)
		return ini_complain(&p->ini, "since = %.20s: must be a version such as 6.12",
				    value);
	c->since = major * 1000 + minor;
	return 1;
}

static int configuration_add_words(struct configuration_parser *p, char ***to, const char *value,
				   const char *what, bool (*valid)(const char *))
{
	char **words = ini_words(&p->ini, value, what, valid);
	size_t count = words_count(*to);

	for (char **word = words; word && *word; word++)
		if (words_add(to, &count, *word) < 0)
			ini_complain(&p->ini, "out of memory");
	words_free(words);
	return !p->ini.error;
}

static bool valid_test(const char *word)
{
	return strchr(word, '/') && !word[strspn(word, LOWER DIGITS "/_-")];
}

/* The first word before COLON with a "=", or else COLON. */
static const char *find_conditions(const char *value, const char *colon)
{
	const char *word = value;

	while (word < colon && !memchr(word, '=', strcspn(word, " \t:"))) {
		word += strcspn(word, " \t:");
		word += strspn(word, " \t");
	}
	return word < colon ? word : colon;
}

/* Adds an entry for each test of "generic/001 generic/002 KEY=VALUE: REASON". */
static int add_excludes(struct configuration_parser *p, char ***to, const char *value)
{
	const char *colon = strstr(value, ": ");
	const char *more = colon ? find_conditions(value, colon) : value;
	_cleanup_free_ char *tests = strndup(value, (size_t)(more - value));
	char *rest = NULL, *word = tests ? strtok_r(tests, " \t", &rest) : NULL;
	size_t count = words_count(*to);

	if (!word || !text_is_clean(value))
		return ini_complain(&p->ini, "must be TEST… [KEY=VALUE…]: REASON");
	for (; word; word = strtok_r(NULL, " \t", &rest)) {
		_cleanup_free_ char *line = NULL;

		if (!valid_test(word))
			return ini_complain(&p->ini, "\"%.60s\" is not the name of a test", word);
		if (asprintf(&line, "%s%s%s", word, *more == ':' ? "" : " ", more) < 0 ||
		    words_add(to, &count, line) < 0)
			return ini_complain(&p->ini, "out of memory");
	}
	return 1;
}

static int set_devices(struct configuration_parser *p, struct test_configuration *c,
		       const char *value)
{
	_cleanup_free_ char *copy = strdup(value);
	char *rest = NULL;

	for (char *word = copy ? strtok_r(copy, " \t,", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t,", &rest)) {
		c->log = c->log || strcmp(word, "log") == 0;
		c->realtime = c->realtime || strcmp(word, "realtime") == 0;
		if (strcmp(word, "log") != 0 && strcmp(word, "realtime") != 0)
			return ini_complain(&p->ini, "external = %.60s: must be log or realtime",
					    word);
	}
	return 1;
}

static int take_value(struct configuration_parser *p, struct test_configuration *c, const char *key,
		      const char *value)
{
	if (strcmp(key, "description") == 0)
		return set_text(p, &c->description, value, text_is_clean);
	if (strcmp(key, "type") == 0)
		return set_text(p, &c->fstype, value, valid_type);
	if (strcmp(key, "base") == 0)
		return set_text(p, &c->base, value, valid_type);
	if (strcmp(key, "mkfs") == 0)
		return set_text(p, &c->mkfs, value, valid_value);
	if (strcmp(key, "mount") == 0)
		return add_mount(p, c, value);
	if (strcmp(key, "set") == 0)
		return configuration_add_variable(p, c, value);
	if (strcmp(key, "since") == 0)
		return set_since(p, c, value);
	if (strcmp(key, "external") == 0)
		return set_devices(p, c, value);
	if (strcmp(key, "kernel") == 0)
		return configuration_add_words(p, &c->kernel, value, "kernel option",
					       valid_kernel_option);
	if (strcmp(key, "tools") == 0)
		return configuration_add_words(p, &c->tools, value, "command", valid_tool);
	if (strcmp(key, "packages") == 0)
		return configuration_add_words(p, &c->packages, value, "package name",
					       valid_package_choice);
	if (strcmp(key, "exclude") == 0)
		return add_excludes(p, &c->excludes, value);
	return ini_complain(
		&p->ini,
		"unknown key \"%.60s\": known are description, type, base, mkfs, mount, "
		"set, external, since, kernel, tools, packages and exclude",
		key);
}

/* --- sections ------------------------------------------------------------------------------- */

static char *copy_text(const char *text, bool *good)
{
	char *copy = text ? strdup(text) : NULL;

	*good = *good && (copy || !text);
	return copy;
}

static char **copy_words(char *const *words, bool *good)
{
	char **copy = NULL;
	size_t count = 0;

	for (; *good && words && *words; words++)
		*good = words_add(&copy, &count, *words) == 0;
	return copy;
}

/* Begins a configuration with what all of the file have. */
static int begin_section(struct configuration_parser *p, const char *name)
{
	const struct test_configuration *shared = &p->shared;
	struct test_configuration *c = array_grow(&p->all->list, p->all->count, sizeof(*c));
	bool good = c != NULL;

	if (!good)
		return ini_complain(&p->ini, "out of memory");
	p->all->count++;
	*c = (struct test_configuration){
		.fs = copy_text(p->fs, &good),
		.name = copy_text(name, &good),
		.path = copy_text(p->ini.path, &good),
		.fstype = copy_text(shared->fstype ? shared->fstype : p->fs, &good),
		.base = copy_text(shared->base, &good),
		.mkfs = copy_text(shared->mkfs, &good),
		.mount = copy_text(shared->mount, &good),
		.variables = copy_words(shared->variables, &good),
		.kernel = copy_words(shared->kernel, &good),
		.tools = copy_words(shared->tools, &good),
		.packages = copy_words(shared->packages, &good),
		.excludes = copy_words(shared->excludes, &good),
		.since = shared->since,
		.log = shared->log,
		.realtime = shared->realtime,
		.own = p->own,
	};
	return good ? 1 : ini_complain(&p->ini, "out of memory");
}

static int configuration_take(void *context, const char *section, const char *key,
			      const char *value)
{
	struct configuration_parser *p = context;
	struct configurations *all = p->all;

	if (strcmp(section, SHARED) == 0) {
		if (all->count > p->first)
			return ini_complain(&p->ini, "[" SHARED "] must be the first section");
		return take_value(p, &p->shared, key, value);
	}
	if (!configuration_valid_name(section))
		return ini_complain(&p->ini,
				    "[%.60s] is not a valid name: use lower-case letters, digits "
				    "and _",
				    section);
	if (all->count == p->first || strcmp(all->list[all->count - 1].name, section) != 0) {
		for (size_t i = p->first; i < all->count; i++)
			if (strcmp(all->list[i].name, section) == 0)
				return ini_complain(&p->ini, "a second section [%s]", section);
		if (!begin_section(p, section))
			return 0;
	}
	return take_value(p, &all->list[all->count - 1], key, value);
}

int configurations_parse(struct configurations *c, const char *fs, const char *path,
			 const char *text, bool own, struct error **err)
{
	struct configuration_parser p = {
		.all = c,
		.first = c->count,
		.fs = fs,
		.own = own,
		.ini = { .path = path, .text = text, .handler = configuration_take, .context = &p },
	};
	int r = ini_text_parse(&p.ini, err);

	configuration_clear(&p.shared);
	return r;
}

/* --- looking up ----------------------------------------------------------------------------- */

const char *configuration_title(const struct test_configuration *c,
				char out[static CONFIGURATION_SIZE])
{
	snprintf(out, CONFIGURATION_SIZE, "%s/%s", c->fs, c->name);
	return out;
}

const char *configuration_section(const struct test_configuration *c,
				  char out[static CONFIGURATION_SIZE])
{
	snprintf(out, CONFIGURATION_SIZE, "%s_%s", c->fs, c->name);
	return out;
}
