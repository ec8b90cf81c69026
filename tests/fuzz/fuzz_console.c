/* A hostile guest's console and status line. Includes the source file, because the tested functions
 * are static. */
#include "frontend/vm/vm.c"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm vm;
	static struct vm_result result;
	static const struct vm_config config;

	memset(&vm, 0, sizeof(vm));
	vm.config = &config;
	memset(&result, 0, sizeof(result));
	/* Reads both descriptors to the end, the first as if its second half came later. */
	vm.console = fuzz_file(data, size);
	vm.status = fuzz_file(data, size);
	lseek(vm.console, (off_t)(size / 2), SEEK_SET);
	read_console(&vm);
	lseek(vm.console, 0, SEEK_SET);
	read_console(&vm);
	lseek(vm.status, 0, SEEK_SET);
	read_status(&vm);
	copy_last_lines(&vm, &result);
	if (vm.text_length > CONSOLE_KEPT || strlen(result.console) >= sizeof(result.console))
		abort();
	for (const char *p = result.console; *p; p++)
		if (*p != '\n' && *p != '\t' && (unsigned char)*p < ' ')
			abort();
	if (vm.exited && (vm.exit_status < 0 || vm.exit_status > 255))
		abort();
	close(vm.console);
	close(vm.status);
	return 0;
}
