#include "frontend/cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frontend/cli/report.h"

static volatile sig_atomic_t caught, hurried;
static int event = -1;
static int watched = -1;

static void on_leave(int number)
{
	static const char text[] = "\nrootlet: interrupted\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)number;
	(void)n;
	_exit(EXIT_INTERRUPTED);
}

static void on_catch(int number)
{
	int saved = errno;
	uint64_t one = 1;
	ssize_t n = write(event, &one, sizeof(one));

	(void)number;
	(void)n;
	caught = 1;
	errno = saved;
}

static void on_hurry(int number)
{
	hurried = 1;
	on_catch(number);
}

static void set_handler(void (*handler)(int))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction old;

		/* Leave SIGHUP ignored, for nohup(1). Shells ignore SIGINT in background jobs of
		 * scripts, but a SIGINT that arrives there was sent on purpose. */
		if (numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sigaction(numbers[i], &action, NULL);
	}
}

void interrupt_leave(void)
{
	set_handler(on_leave);
}

void interrupt_catch(void)
{
	if (event < 0)
		event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	set_handler(on_catch);
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_hurry }, NULL);
}

void interrupt_forget(void)
{
	if (event >= 0)
		close(event);
	event = watched = -1;
	caught = hurried = 0;
}

bool interrupt_caught(void)
{
	return caught;
}

bool interrupt_hurried(void)
{
	return hurried;
}

int interrupt_fd(void)
{
	return event;
}

void interrupt_watch(int fd)
{
	watched = fd;
}

int interrupt_watched(void)
{
	return watched;
}
