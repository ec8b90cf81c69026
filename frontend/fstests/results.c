#include "frontend/fstests/results.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/tree.h"

static const char *const names[TEST_STATUSES] = {
	[TEST_PASS] = "pass",	      [TEST_FAIL] = "fail",	      [TEST_NOTRUN] = "notrun",
	[TEST_EXPUNGED] = "expunged", [TEST_EXCLUDED] = "excluded",   [TEST_CRASH] = "crash",
	[TEST_TIMEOUT] = "timeout",   [TEST_UNREACHED] = "unreached",
};

static const char *const excuses[EXCUSES] = {
	[EXCUSE_RETRIED] = "retried",
	[EXCUSE_QUARANTINED] = "quarantined",
};

const char *test_status_name(enum test_status status)
{
	return names[status];
}

const char *test_excuse_text(enum test_excuse excuse)
{
	return excuse == EXCUSE_RETRIED	      ? "passed when it ran again"
	       : excuse == EXCUSE_QUARANTINED ? "quarantined as a known flake"
					      : "";
}

static void result_clear(struct test_result *result)
{
	free((char *)(uintptr_t)result->section);
	free((char *)(uintptr_t)result->name);
	free((char *)(uintptr_t)result->reason);
	free((char *)(uintptr_t)result->detail);
	free((char *)(uintptr_t)result->task);
	free((char *)(uintptr_t)result->image);
}

void results_clear(struct results *r)
{
	for (size_t i = 0; i < r->count; i++)
		result_clear(&r->list[i]);
	free(r->list);
	test_index_clear(&r->index);
	*r = (struct results){ 0 };
}

static struct test_key result_key_at(const void *list, size_t position)
{
	const struct test_result *result = (const struct test_result *)list + position;

	return (struct test_key){ result->section, result->name };
}

int results_add(struct results *r, const struct test_result *result, struct error **err)
{
	struct test_result *larger = reallocarray(r->list, r->count + 1, sizeof(*larger));
	struct test_result copy = {
		.section = strdup(result->section ? result->section : ""),
		.name = strdup(result->name),
		.status = result->status,
		.seconds = result->seconds,
		.reason = result->reason ? strdup(result->reason) : NULL,
		.detail = result->detail ? strdup(result->detail) : NULL,
		.task = result->task ? strdup(result->task) : NULL,
		.image = result->image ? strdup(result->image) : NULL,
		.guest = result->guest,
		.excuse = result->excuse,
	};
	size_t first;

	if (larger)
		r->list = larger;
	if (!larger || !copy.section || !copy.name || (result->reason && !copy.reason) ||
	    (result->detail && !copy.detail) || (result->task && !copy.task) ||
	    (result->image && !copy.image)) {
		result_clear(&copy);
		return error_no_memory(err);
	}
	r->list[r->count] = copy;
	if (!test_index_add(&r->index, r->list, result_key_at, r->count)) {
		result_clear(&copy);
		return error_no_memory(err);
	}
	first = test_index_find(&r->index, r->list, result_key_at, copy.section, copy.name);
	r->list[r->count++].repetition = ++r->list[first].times;
	return 0;
}

const struct test_result *results_find(const struct results *r, const char *section,
				       const char *name)
{
	size_t at = test_index_find(&r->index, r->list, result_key_at, section, name);

	return at == TEST_INDEX_NONE ? NULL : &r->list[at];
}

size_t results_count(const struct results *r, enum test_status status)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		count += r->list[i].status == status;
	return count;
}

/* Guests can write anything: replaces invalid UTF-8 with '?'. */
static json_t *text_to_json(const char *text)
{
	_cleanup_free_ char *copy = NULL;
	json_t *value = text ? json_string(text) : NULL;

	if (value || !text || !(copy = strdup(text)))
		return value;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

size_t results_unexcused(const struct results *r)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		count += r->list[i].status == TEST_FAIL && r->list[i].excuse == EXCUSE_NONE;
	return count;
}

json_t *result_to_json(const struct test_result *result)
{
	json_t *object = json_object();

	if (*result->section)
		json_object_set_new(object, "section", text_to_json(result->section));
	json_object_set_new(object, "name", text_to_json(result->name));
	json_object_set_new(object, "status", json_string(names[result->status]));
	json_object_set_new(object, "seconds", json_real(result->seconds));
	if (result->reason)
		json_object_set_new(object, "reason", text_to_json(result->reason));
	if (result->detail)
		json_object_set_new(object, "detail", text_to_json(result->detail));
	if (result->repetition > 1)
		json_object_set_new(object, "repetition", json_integer(result->repetition));
	if (result->excuse)
		json_object_set_new(object, "excuse", json_string(excuses[result->excuse]));
	if (result->guest)
		json_object_set_new(object, "guest", json_integer(result->guest));
	if (result->task)
		json_object_set_new(object, "task", text_to_json(result->task));
	if (result->image)
		json_object_set_new(object, "image", text_to_json(result->image));
	return object;
}

bool test_status_parse(const char *text, enum test_status *status)
{
	for (size_t i = 0; text && i < TEST_STATUSES; i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*status = (enum test_status)i;
		return true;
	}
	return false;
}

static enum test_excuse excuse_parse(const char *text)
{
	for (size_t i = EXCUSE_NONE + 1; text && i < EXCUSES; i++)
		if (strcmp(text, excuses[i]) == 0)
			return (enum test_excuse)i;
	return EXCUSE_NONE;
}

int results_read_line(struct results *r, const char *line, size_t length, struct error **err)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	struct test_result result = { .section = "" };
	const char *section;
	int status = 0;

	if (object)
		json_clean(object);
	section = json_string_value(json_object_get(object, "section"));
	result.name = json_string_value(json_object_get(object, "name"));
	if (section)
		result.section = section;
	result.seconds = json_number_value(json_object_get(object, "seconds"));
	result.reason = json_string_value(json_object_get(object, "reason"));
	result.detail = json_string_value(json_object_get(object, "detail"));
	result.guest = (unsigned int)json_integer_value(json_object_get(object, "guest"));
	result.excuse = excuse_parse(json_string_value(json_object_get(object, "excuse")));
	result.task = json_string_value(json_object_get(object, "task"));
	result.image = json_string_value(json_object_get(object, "image"));
	if (result.name &&
	    test_status_parse(json_string_value(json_object_get(object, "status")), &result.status))
		status = results_add(r, &result, err);
	json_decref(object);
	return status;
}

int results_read(int dir, const char *name, struct results *r, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	*r = (struct results){ 0 };
	text = tree_read(dir, name, RESULTS_MOST, &size, err);
	if (!text)
		return -1;
	for (const char *line = text, *end; *line; line = end + 1) {
		size_t before = r->count;

		end = strchr(line, '\n');
		if (!end)
			break;
		if (results_read_line(r, line, (size_t)(end - line), err) < 0) {
			results_clear(r);
			return -1;
		}
		r->unread += r->count == before;
	}
	return 0;
}

static int write_lines(FILE *out, const struct results *r)
{
	for (size_t i = 0; i < r->count; i++) {
		json_t *object = result_to_json(&r->list[i]);
		int result = json_dumpf(object, out, JSON_COMPACT);

		json_decref(object);
		if (result < 0 || fputc('\n', out) == EOF)
			return -1;
	}
	return fflush(out) == 0 ? 0 : -1;
}

int results_write(int dir, const char *name, const struct results *r, struct error **err)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_fclose_ FILE *out = NULL;
	int fd = -1;

	if (asprintf(&temporary, ".%s", name) >= 0)
		fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!out)
		closep(&fd);
	if (!out || write_lines(out, r) < 0 ||
	    dir_replace_file(dir, temporary, fileno(out), name) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", name);
	return 0;
}
