#include "policy/operations.h"

#include <string.h>

#include "proto/requests.h"

#define ROW(NAME, Name, name, word, ...) { #Name, word },
const struct operation_name operation_names[] = { REQUESTS(ROW) };
const size_t operation_count = sizeof(operation_names) / sizeof(*operation_names);

bool valid_operation(const char *word)
{
	for (size_t i = 0; i < operation_count; i++)
		if (operation_names[i].operation && strcmp(operation_names[i].operation, word) == 0)
			return true;
	return false;
}
