/* Preloaded into strace, which would otherwise keep what it starts from gaining privileges
 * (prctl(2), PR_SET_NO_NEW_PRIVS) before it installs its filter. root needs that no more than
 * newuidmap likes it. */
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int prctl(int option, ...)
{
	unsigned long a[4];
	va_list rest;

	va_start(rest, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(rest, unsigned long);
	va_end(rest);
	return option == PR_SET_NO_NEW_PRIVS
		       ? 0
		       : (int)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}
