#include "policy/operations.h"

#include <string.h>

const struct operation_name operation_names[] = {
	{ "Hello", NULL },	  { "Begin", "create" },      { "Release", "create" },
	{ "Index", "create" },	  { "Package", "create" },    { "Bootstrap", "create" },
	{ "AddGroup", "create" }, { "AddUser", "create" },    { "Publish", "create" },
	{ "Inspect", "check" },	  { "Remove", "delete" },     { "Execute", "shell" },
	{ "Clone", "create" },	  { "Keep", "create" },	      { "Verify", "check" },
	{ "BuildImage", "run" },  { "OpenNamespace", "run" }, { "Open", NULL },
	{ "Read", NULL },	  { "Find", NULL },	      { "CheckRelease", NULL },
};

const size_t operation_count = sizeof(operation_names) / sizeof(*operation_names);

const struct operation_name *operation_find(const char *request)
{
	for (size_t i = 0; i < operation_count; i++)
		if (strcmp(operation_names[i].request, request) == 0)
			return &operation_names[i];
	return NULL;
}

bool valid_operation(const char *word)
{
	for (size_t i = 0; i < operation_count; i++)
		if (operation_names[i].operation && strcmp(operation_names[i].operation, word) == 0)
			return true;
	return false;
}
