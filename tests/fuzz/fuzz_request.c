/* The parser: bytes from the front end become a task, which is checked, described and decided on.
 */
#include "helper/parser/fields.h"
#include "helper/parser/parser.h"
#include "policy/decide.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct task task;
	_cleanup_error_ struct error *err = NULL;
	char description[512];

	if (!parser_translate(data, size, &task))
		return 0;
	task_describe(&task, "folder=/a ", description, sizeof(description));
	/* Invariants that the handlers rely on. */
	if (task_check(&task, &err) == 0) {
		if (task.operation == OP_NONE || task.operation >= OP_COUNT)
			abort();
		if (task.operation == OP_BEGIN && strchr(task.begin.name, '/'))
			abort();
		if (task.operation == OP_EXECUTE && !words_next(&task.execute.argv, NULL))
			abort();
	} else if (!err || err->code != ERR_INPUT) {
		abort();
	}
	return 0;
}
