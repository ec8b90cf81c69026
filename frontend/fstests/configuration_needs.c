#include "frontend/fstests/configuration_needs.h"

#include <stdio.h>
#include <string.h>

#include "frontend/cli/word_list.h"

char kernel_has_option(const struct kernel_features *features, const char *option)
{
	_cleanup_free_ char *copy = strdup(option);
	char *rest = NULL, best = 'n';

	if (!kernel_config(features))
		return 0;
	for (char *one = copy ? strtok_r(copy, "|", &rest) : NULL; one;
	     one = strtok_r(NULL, "|", &rest))
		/* With the configuration known, it does not ask for the module. */
		switch (kernel_feature(features, one, "")) {
		case FEATURE_BUILTIN:
			return 'y';
		case FEATURE_MODULE:
			best = 'm';
			break;
		case FEATURE_UNKNOWN:
		case FEATURE_ABSENT:
			break;
		}
	return best;
}

bool kernel_is_too_old(const struct kernel *kernel, const struct test_configuration *c)
{
	unsigned int major, minor;

	return kernel->version && sscanf(kernel->version, "%3u.%3u", &major, &minor) == 2 &&
	       major * 1000 + minor < c->since;
}

/* Writes "ext4/casefold needs CONFIG_UNICODE". Returns whether the kernel lacks anything. */
static bool describe_lacking(FILE *out, const struct test_configuration *c,
			     const struct kernel *kernel, const struct kernel_features *features,
			     const char *before)
{
	bool old = kernel_is_too_old(kernel, c), lacks = old;

	if (old)
		fprintf(out, "%s%s/%s needs Linux %u.%u", before, c->fs, c->name, c->since / 1000,
			c->since % 1000);
	for (char **option = c->kernel; option && *option; option++) {
		if (kernel_has_option(features, *option) != 'n')
			continue;
		if (lacks)
			fprintf(out, ", CONFIG_%s", *option);
		else
			fprintf(out, "%s%s/%s needs CONFIG_%s", before, c->fs, c->name, *option);
		lacks = true;
	}
	return lacks;
}

int configurations_check_kernel(const struct configurations *c, const struct kernel *kernel,
				struct error **err)
{
	_cleanup_(kernel_features_free) struct kernel_features *features =
		kernel_features_read(kernel);
	_cleanup_free_ char *text = NULL;
	size_t size, lacking = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return error_no_memory(err);
	for (size_t i = 0; i < c->count; i++)
		lacking +=
			describe_lacking(out, &c->list[i], kernel, features, lacking ? "; " : "");
	if (fclose(out) != 0)
		return error_no_memory(err);
	if (!lacking)
		return 0;
	return error_set(err, ERR_INPUT,
			 "the kernel %s cannot run %s; leave %s out, or see: rootlet kconfig",
			 kernel->image, text, lacking == 1 ? "it" : "them");
}

/* CHOICE: "a|b". */
static bool manifest_has(const struct manifest *m, const char *choice)
{
	for (const char *one = choice; *one; one += strcspn(one, "|"), one += *one == '|')
		for (size_t i = 0; i < m->package_count; i++)
			if (strlen(m->packages[i].name) == strcspn(one, "|") &&
			    strncmp(m->packages[i].name, one, strcspn(one, "|")) == 0)
				return true;
	return false;
}

int configurations_check_packages(const struct configurations *c, const struct manifest *manifest,
				  struct error **err)
{
	_cleanup_free_ char *text = NULL;
	char **lacking = NULL;
	size_t count = 0, size;
	FILE *out = open_memstream(&text, &size);
	const char *for_whom = NULL;

	if (!out)
		return error_no_memory(err);
	for (size_t i = 0; i < c->count; i++)
		for (char **package = c->list[i].packages; package && *package; package++) {
			size_t before = count;

			if (manifest_has(manifest, *package))
				continue;
			if (words_add(&lacking, &count, *package) == 0 && count > before)
				fprintf(out, " %.*s", (int)strcspn(*package, "|"), *package);
			if (!for_whom)
				for_whom = c->list[i].fs;
		}
	words_free(lacking);
	if (fclose(out) != 0)
		return error_no_memory(err);
	if (!count)
		return 0;
	return error_set(
		err, ERR_MISSING,
		"the rootfs lacks packages for configurations of %s; run: rootlet install%s",
		for_whom, text);
}
