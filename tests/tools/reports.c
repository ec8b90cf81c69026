/* Linked into rootlet and rootlet-helper only in builds with sanitizers: copies the runtimes'
 * reports to the file $ROOTLET_REPORTS, which tests/support/sanitizers.py reads.
 *
 * In a jail there is no file to open, standard error may be /dev/null, and the front end shows the
 * helper's standard error only if the helper died. So the file is mapped before main(), every fork
 * inherits the mapping, and storing a report needs no system call.
 *
 * Interface: sanitizer/common_interface_defs.h. Flags: ASAN_OPTIONS=help=1 lists them. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "ROOTLET_REPORTS"

struct reports {
	atomic_size_t used; /* bytes of TEXT; may exceed its size */
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

/* The runtimes call this for each piece of text that they print. */
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
/* The helper's processes can neither start a symbolizer nor trace each other, which leak detection
 * needs. They also reset all signal handlers, but crashes must be reported. */
const char *__asan_default_options(void)
{
	return "color=never:symbolize=0:detect_leaks=0:"
	       "handle_segv=2:handle_sigbus=2:handle_sigfpe=2:handle_sigill=2";
}
#else
/* Replaces execve() through the linker's --wrap: the front end starts the helper without an
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
