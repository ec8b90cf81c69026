#include "frontend/mcp/tool_result.h"

const char *tool_result_string(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

json_int_t tool_result_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}
