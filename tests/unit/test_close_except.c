/* lib/close_except.c: what stays open. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/close_except.h"

#include "tap.h"

#define FIRST 3
#define LAST 20

/* The descriptors from FIRST to LAST that are open after the call, as bits. */
static unsigned left_open(const int *kept, size_t count)
{
	unsigned open_ones = 0;
	int ends[2];
	pid_t child;

	if (pipe(ends) < 0)
		return 0;
	child = fork();
	if (child == 0) {
		dup2(ends[1], 2);
		for (int fd = FIRST; fd <= LAST; fd++)
			dup2(0, fd);
		close_except(kept, count);
		for (int fd = FIRST; fd <= LAST; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				open_ones |= 1u << fd;
		_exit(write(2, &open_ones, sizeof(open_ones)) != sizeof(open_ones));
	}
	close(ends[1]);
	if (read(ends[0], &open_ones, sizeof(open_ones)) != sizeof(open_ones))
		open_ones = ~0u;
	close(ends[0]);
	waitpid(child, NULL, 0);
	return open_ones;
}

static const struct row {
	const char *what;
	int kept[4];
	unsigned open_ones;
} rows[] = {
	{ "nothing", { -1, -1, -1, -1 }, 0 },
	{ "only the standard ones", { 0, 1, 2, -1 }, 0 },
	{ "the first", { 3, -1, -1, -1 }, 1u << 3 },
	{ "two neighbours, in any order", { 8, -1, 7, 2 }, 1u << 7 | 1u << 8 },
	{ "one of them twice, and the last", { 20, 5, 5, 0 }, 1u << 5 | 1u << 20 },
	{ "the first two, and one that is not open", { 4, 3, 100, -1 }, 1u << 3 | 1u << 4 },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(left_open(rows[i].kept, 4) == rows[i].open_ones, "kept: %s",
			  rows[i].what);
	return tap_done();
}
