#include "frontend/mcp/schema.h"

#include <stdbool.h>
#include <string.h>

static const char *type_name(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
		[JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
		[JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
	};

	return names[json_typeof(value)];
}

static int check_type(const json_t *schema, const json_t *value, const char *where,
		      struct error **err)
{
	const char *type = json_string_value(json_object_get(schema, "type"));

	if (!type || strcmp(type, type_name(value)) == 0)
		return 0;
	return error_set(err, ERR_INPUT, "%s: must be of type %s, not %s", where, type,
			 type_name(value));
}

static int check_enum(const json_t *schema, json_t *value, const char *where, struct error **err)
{
	const json_t *choices = json_object_get(schema, "enum"), *choice;
	_cleanup_free_ char *text = NULL;
	size_t i;

	if (!choices)
		return 0;
	json_array_foreach(choices, i, choice) if (json_equal(choice, value)) return 0;
	text = json_dumps(choices, JSON_ENCODE_ANY);
	return error_set(err, ERR_INPUT, "%s: must be one of %s", where, text ? text : "the enum");
}

static int check_bound(const json_t *schema, const char *keyword, json_int_t have, bool upper,
		       const char *what, struct error **err)
{
	const json_t *bound = json_object_get(schema, keyword);
	json_int_t limit = json_integer_value(bound);

	if (!bound || (upper ? have <= limit : have >= limit))
		return 0;
	return error_set(err, ERR_INPUT, "%s %" JSON_INTEGER_FORMAT ": %s %" JSON_INTEGER_FORMAT,
			 what, have, upper ? "at most" : "at least", limit);
}

static int check_sizes(const json_t *schema, const json_t *value, const char *where,
		       struct error **err)
{
	_cleanup_free_ char *length = NULL;

	if (asprintf(&length, "%s: length", where) < 0)
		return error_no_memory(err);
	if (json_is_integer(value) &&
	    (check_bound(schema, "minimum", json_integer_value(value), false, where, err) < 0 ||
	     check_bound(schema, "maximum", json_integer_value(value), true, where, err) < 0))
		return -1;
	if (json_is_array(value))
		return check_bound(schema, "minItems", (json_int_t)json_array_size(value), false,
				   length, err);
	if (json_is_string(value))
		return check_bound(schema, "minLength", (json_int_t)json_string_length(value),
				   false, length, err);
	return 0;
}

static int check_items(const json_t *schema, json_t *value, const char *where, struct error **err)
{
	const json_t *items = json_object_get(schema, "items");
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
	{
		_cleanup_free_ char *inner = NULL;

		if (items && asprintf(&inner, "%s[%zu]", where, i) < 0)
			return error_no_memory(err);
		if (items && schema_check(items, item, inner, err) < 0)
			return -1;
	}
	return 0;
}

static int check_properties(const json_t *schema, json_t *value, const char *where,
			    struct error **err)
{
	const json_t *properties = json_object_get(schema, "properties"), *name;
	bool closed = json_is_false(json_object_get(schema, "additionalProperties"));
	const char *key;
	json_t *member;
	size_t i;

	json_array_foreach(
		json_object_get(schema, "required"), i,
		name) if (!json_object_get(value,
					   json_string_value(
						   name))) return error_set(err, ERR_INPUT,
									    "%s: %s is missing",
									    where,
									    json_string_value(
										    name));
	json_object_foreach(value, key, member)
	{
		const json_t *inner = json_object_get(properties, key);

		if (!inner && closed)
			return error_set(err, ERR_INPUT, "%s: unknown property %.80s", where, key);
		if (inner && schema_check(inner, member, key, err) < 0)
			return -1;
	}
	return 0;
}

int schema_check(const json_t *schema, json_t *value, const char *where, struct error **err)
{
	if (check_type(schema, value, where, err) < 0 ||
	    check_enum(schema, value, where, err) < 0 || check_sizes(schema, value, where, err) < 0)
		return -1;
	if (json_is_array(value))
		return check_items(schema, value, where, err);
	return json_is_object(value) ? check_properties(schema, value, where, err) : 0;
}
