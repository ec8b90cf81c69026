#include "frontend/reports/private_text.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/paths.h"
#include "frontend/cli/word_list.h"

static int private_add(struct private_text *p, const char *path)
{
	_cleanup_free_ char *copy = path ? strdup(path) : NULL;
	size_t length = copy ? strlen(copy) : 0;

	while (length > 1 && copy[length - 1] == '/')
		copy[--length] = '\0';
	/* "/root" and the like are in every guest. */
	if (length < 2 || *copy != '/' || !strchr(copy + 1, '/'))
		return path && !copy ? -1 : 0;
	return words_add(&p->paths, &p->path_count, copy);
}

static int private_compare(const void *a, const void *b)
{
	size_t one = strlen(*(char *const *)a), other = strlen(*(char *const *)b);

	return one == other ? 0 : one > other ? -1 : 1;
}

static int private_add_recorded(struct private_text *p, const struct report_run *run)
{
	static const char *const fields[] = { "rootfs", "fstests", "results", "kernel" };
	const json_t *shards = json_object_get(run->record, "shards"), *shard;
	size_t at;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (private_add(p, report_text(run, fields[i])) < 0)
			return -1;
	json_array_foreach(shards, at, shard)
	{
		if (private_add(p, json_string_value(json_object_get(shard, "results"))) < 0)
			return -1;
	}
	return private_add(p, json_string_value(json_object_get(
				      json_object_get(run->record, "cluster"), "directory")));
}

int private_text_prepare(struct private_text *p, const struct report_run *run, struct error **err)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *home = paths_home(&ignored);

	*p = (struct private_text){ 0 };
	if (private_add(p, run->dir.path) < 0 || private_add(p, home) < 0 ||
	    private_add_recorded(p, run) < 0)
		return error_no_memory(err);
	if (p->path_count)
		qsort(p->paths, p->path_count, sizeof(*p->paths), private_compare);
	if (gethostname(p->host, sizeof(p->host) - 1) < 0 || strcmp(p->host, "localhost") == 0)
		*p->host = '\0';
	memcpy(p->host_short, p->host, sizeof(p->host));
	p->host_short[strcspn(p->host_short, ".")] = '\0';
	return 0;
}

void private_text_clear(struct private_text *p)
{
	words_free(p->paths);
	*p = (struct private_text){ 0 };
}

static bool private_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || (unsigned char)c >= 0x80;
}

static bool private_is_path(char c)
{
	return private_is_word(c) || strchr("./+@%~,", c);
}

/* How much of TEXT is one of P's paths and what is below it, with or without its leading slash; 0
 * if none. */
static size_t private_known(const struct private_text *p, const char *text)
{
	for (size_t i = 0; i < p->path_count; i++) {
		const char *path = p->paths[i] + (*text != '/');
		size_t length = strlen(path);

		if (strncmp(text, path, length) != 0 || private_is_word(text[length]))
			continue;
		while (text[length] == '/' || (text[length] && private_is_path(text[length])))
			length++;
		return length;
	}
	return 0;
}

/* How much of TEXT is a path that no guest has; 0 if none. Source: frontend/guest, and the
 * Filesystem Hierarchy Standard; the kernel names its devices without the /sys. */
static size_t private_unknown(const char *text)
{
	static const char *const of_guest[] = { "bin",	 "boot",  "dev", "devices", "etc",  "lib",
						"lib32", "lib64", "mnt", "opt",	    "proc", "root",
						"run",	 "sbin",  "sys", "tmp",	    "usr",  "var" };
	size_t length = 1, first;

	if (*text != '/')
		return 0;
	while (text[length] && private_is_path(text[length]))
		length++;
	first = strcspn(text + 1, "/");
	/* "/a" alone, "//" of a URL or a comment. */
	if (first == 0 || first + 2 >= length)
		return 0;
	for (size_t i = 0; i < sizeof(of_guest) / sizeof(*of_guest); i++)
		if (strlen(of_guest[i]) == first && strncmp(text + 1, of_guest[i], first) == 0)
			return 0;
	return length;
}

/* Prints the LENGTH bytes of a path at TEXT as its last part. Punctuation that follows it is no
 * part of it. */
static size_t private_print_path(FILE *out, const char *text, size_t length)
{
	size_t from;

	while (length > 1 && strchr("./,", text[length - 1]))
		length--;
	for (from = length; from > 0 && text[from - 1] != '/';)
		from--;
	fprintf(out, "/…/%.*s", (int)(length - from), text + from);
	return length;
}

static size_t private_host(const struct private_text *p, const char *text)
{
	const char *const names[] = { p->host, p->host_short };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t length = strlen(names[i]);

		if (length && strncmp(text, names[i], length) == 0 &&
		    !private_is_word(text[length]))
			return length;
	}
	return 0;
}

char *private_text_remove(const struct private_text *p, const char *text)
{
	char *removed = NULL, before = ' ';
	size_t size;
	FILE *out = open_memstream(&removed, &size);

	if (!out)
		return NULL;
	while (*text) {
		bool begins = !private_is_word(before) && before != '.';
		size_t path = begins && before != '/' ? private_known(p, text) : 0;
		size_t host = begins && !path ? private_host(p, text) : 0;
		size_t length = 1;

		if (!path && begins && before != '/')
			path = private_unknown(text);
		if (path)
			length = private_print_path(out, text, path);
		else if (host)
			length = fputs("HOST", out) >= 0 ? host : 1;
		else
			fputc(*text, out);
		before = text[length - 1];
		text += length;
	}
	if (fclose(out) == 0)
		return removed;
	free(removed);
	return NULL;
}

/* A host may be called "generic", or "failed". */
static bool private_is_kept(const char *key)
{
	static const char *const kept[] = { "name", "section", "status", "state", "test", "kind" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (strcmp(key, kept[i]) == 0)
			return true;
	return false;
}

int private_text_remove_json(const struct private_text *p, json_t *json)
{
	_cleanup_free_ char *text = NULL;
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(json)) {
		json_object_foreach(json, key, value)
		{
			if (!private_is_kept(key) && private_text_remove_json(p, value) < 0)
				return -1;
		}
	} else if (json_is_array(json)) {
		json_array_foreach(json, i, value)
		{
			if (private_text_remove_json(p, value) < 0)
				return -1;
		}
	} else if (json_is_string(json)) {
		text = private_text_remove(p, json_string_value(json));
		return text ? json_string_set(json, text) : -1;
	}
	return 0;
}
