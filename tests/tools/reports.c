/* Part of rootlet and rootlet-helper in a build with sanitizers, and in no other: copies what the
 * runtimes report into the file $ROOTLET_REPORTS, where tests/support/sanitizers.py looks for it.
 *
 * In a jail there is no file to open, standard error may be /dev/null, and the front end shows what
 * the helper writes there only if the helper died. So the file is mapped before main(), every fork
 * inherits the mapping, and to store a report takes no system call.
 *
 * Interface: sanitizer/common_interface_defs.h. Flags: what ASAN_OPTIONS=help=1 prints. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "ROOTLET_REPORTS"

struct reports {
	atomic_size_t used; /* bytes of TEXT, which may be more than it has room for */
	char text[];
};

static struct reports *reports;
static size_t room;

__attribute__((constructor)) static void open_reports(void)
{
	const char *path = getenv(VARIABLE);
	int fd = path ? open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct stat status;
	void *map;

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && (size_t)status.st_size > sizeof(*reports)) {
		map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			reports = map;
			room = (size_t)status.st_size - sizeof(*reports);
		}
	}
	close(fd);
}

/* The runtimes call this with each piece of text that they print. */
void __sanitizer_on_print(const char *text);
void __sanitizer_on_print(const char *text)
{
	size_t length = strlen(text), at;

	if (!reports)
		return;
	at = atomic_fetch_add(&reports->used, length);
	if (at < room)
		memcpy(reports->text + at, text, length < room - at ? length : room - at);
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:print_stacktrace=1";
}

const char *__asan_default_options(void);

#ifdef IN_HELPER
/* The helper's processes can neither start a symbolizer nor trace each other, which is how leaks
 * are found; and they reset all signals, but a crash is to be reported. */
const char *__asan_default_options(void)
{
	return "color=never:symbolize=0:detect_leaks=0:"
	       "handle_segv=2:handle_sigbus=2:handle_sigfpe=2:handle_sigill=2";
}
#else
/* In place of execve(), by the linker's --wrap: the front end starts the helper without an
 * environment. */
int __real_execve(const char *path, char *const argv[], char *const environment[]);
int __wrap_execve(const char *path, char *const argv[], char *const environment[]);
int __wrap_execve(const char *path, char *const argv[], char *const environment[])
{
	char *passed[] = { NULL, NULL };

	for (char **one = environ; one && *one && !passed[0]; one++)
		if (strncmp(*one, VARIABLE "=", sizeof(VARIABLE)) == 0)
			passed[0] = *one;
	return __real_execve(path, argv, environment[0] ? environment : passed);
}
#endif
