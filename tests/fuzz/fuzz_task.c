/* A task from a hijacked parser: any bytes of the right length. */
#include "helper/parser/fields.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct task task;
	_cleanup_error_ struct error *err = NULL;
	char description[512];

	memset(&task, 0xff, sizeof(task));
	memcpy(&task, data, size < sizeof(task) ? size : sizeof(task));
	task_describe(&task, "folder=/a ", description, sizeof(description));
	if (!memchr(description, '\0', sizeof(description)))
		abort();
	if (task_check(&task, &err) < 0 && (!err || err->code != ERR_INPUT))
		abort();
	return 0;
}
