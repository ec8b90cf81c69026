#include "frontend/cli/events.h"

#include <string.h>

#include "frontend/cli/install_command.h"
#include "frontend/cli/text.h"

json_t *json_text(const char *s)
{
	_cleanup_free_ char *copy = s ? strdup(s) : NULL;

	return copy ? json_string(text_utf8(copy)) : json_null();
}

json_t *json_words(char *const *words)
{
	json_t *array = json_array();

	for (; words && *words; words++)
		json_array_append_new(array, json_text(*words));
	return array;
}

void json_clean(json_t *json)
{
	_cleanup_free_ char *text = NULL;
	const char *key;
	json_t *value;
	size_t i;

	switch (json_typeof(json)) {
	case JSON_OBJECT:
		json_object_foreach(json, key, value) json_clean(value);
		break;
	case JSON_ARRAY:
		json_array_foreach(json, i, value) json_clean(value);
		break;
	case JSON_STRING:
		text = strdup(json_string_value(json));
		json_string_set(json, text ? text_clean_lines(text) : "");
		break;
	default:
		break;
	}
}

char *document_text(const json_t *document)
{
	_cleanup_free_ char *json = json_dumps(document, JSON_COMPACT);
	char *text = NULL;
	size_t size;
	FILE *out = json ? open_memstream(&text, &size) : NULL;

	if (!out)
		return NULL;
	text_print_json(out, json);
	putc('\n', out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

void document_print(json_t *document)
{
	_cleanup_free_ char *text = document_text(document);

	fputs(text ? text : "\n", stdout);
	fflush(stdout);
	json_decref(document);
}

void event_print(const char *event, json_t *fields)
{
	json_t *line = json_pack("{s:s}", "event", event);

	json_object_update(line, fields);
	json_decref(fields);
	document_print(line);
}

int event_result(json_t *fields, int status)
{
	json_object_set_new(fields, "exit_status", json_integer(status));
	event_print("result", fields);
	return status;
}

/* Prints the first LENGTH bytes. */
static void print_output(struct output_events *o, size_t length)
{
	char rest = o->text[length];

	if (!length)
		return;
	for (size_t i = 0; i < length; i++)
		if (!o->text[i])
			o->text[i] = '?';
	o->text[length] = '\0';
	event_print("output",
		    json_pack("{s:s, s:o}", "stream", o->stream, "text", json_text(o->text)));
	o->text[length] = rest;
	o->length -= length;
	memmove(o->text, o->text + length, o->length);
}

/* Where to cut a full buffer: after its last newline, else before an incomplete character. */
static size_t cut_of(const struct output_events *o)
{
	const char *newline = memrchr(o->text, '\n', o->length);
	size_t cut = o->length;

	if (newline)
		return (size_t)(newline - o->text) + 1;
	if (o->length < sizeof(o->text) - 1)
		return 0;
	while (cut > o->length - 4 && ((unsigned char)o->text[cut - 1] & 0xc0) == 0x80)
		cut--;
	return (unsigned char)o->text[cut - 1] >= 0xc0 ? cut - 1 : o->length;
}

void output_events_take(struct output_events *o, const char *data, size_t size)
{
	while (size > 0) {
		size_t room = sizeof(o->text) - 1 - o->length, n = size < room ? size : room;

		memcpy(o->text + o->length, data, n);
		o->length += n;
		data += n;
		size -= n;
		print_output(o, cut_of(o));
	}
}

void output_events_flush(struct output_events *o)
{
	print_output(o, o->length);
}

json_t *json_error(const struct error *err)
{
	enum error_code code = err ? err->code : ERR_SPACE;
	_cleanup_free_ char *message = install_localize(error_text(err));

	return json_pack("{s:s, s:o}", "code", error_code_name(code), "message",
			 json_text(message ? message : error_text(err)));
}

int event_failure(json_t *fields, const struct error *err, int status)
{
	json_object_set_new(fields, "error", json_error(err));
	return event_result(fields, status);
}

int document_failure(const struct error *err, int status)
{
	document_print(json_pack("{s:o, s:i}", "error", json_error(err), "exit_status", status));
	return status;
}
