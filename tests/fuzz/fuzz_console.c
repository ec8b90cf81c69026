/* What a hostile guest writes on its console and on its status line. Includes the file, as what it
 * tries is static there. */
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
	/* Both descriptors are read to their end; the first is as if the second half came later. */
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
