/* Scope-bound ownership: a variable marked _cleanup_free_ or _cleanup_close_ releases what it holds
 * at the end of its scope. STEAL_* pass that ownership on. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define PRINTF_LIKE(string, first) __attribute__((format(printf, string, first)))

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Closes a descriptor and keeps errno, so that it can run between a failure and its report. */
static inline void closep(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define STEAL_PTR(p)                                                                               \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/* Like TEMP_FAILURE_RETRY in glibc's unistd.h, which supports only `long int`. */
#define RETRY_ON_EINTR(expression)                                                                 \
	({                                                                                         \
		__typeof__(expression) result_;                                                    \
		do                                                                                 \
			result_ = (expression);                                                    \
		while (result_ == -1 && errno == EINTR);                                           \
		result_;                                                                           \
	})
