/* frontend/cli/child.c: a signal that ends a child and comes here, too, as Ctrl-C does. */
#include <sched.h>
#include <signal.h>

#include "frontend/cli/child.h"
#include "frontend/cli/interrupt.h"

#include "tap.h"

#define TIMES 10

/* With the least priority, on the child's processor, this process runs only when the child is gone:
 * its poll() then reports both at once. */
static void yield_to_child(void)
{
	const struct sched_param none = { 0 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	sched_setscheduler(0, SCHED_IDLE, &none);
}

static int wait_for(const char *script, struct error **err)
{
	const char *const words[] = { "sh", "-c", script, NULL };
	pid_t pid;

	interrupt_forget();
	interrupt_catch();
	return child_start(words, (int[]){ -1, -1, -1 }, &pid, err) < 0 ? -2 : child_wait(pid, err);
}

int main(void)
{
	_cleanup_error_ struct error *none = NULL;
	size_t interrupted = 0;

	tap_check(wait_for("exit 7", &none) == 7, "a child's exit status is returned");
	tap_check(wait_for("kill -KILL $$", &none) == 128 + SIGKILL, "or its signal");
	yield_to_child();
	for (size_t i = 0; i < TIMES; i++) {
		_cleanup_error_ struct error *err = NULL;

		interrupted += wait_for("sleep 0.01; kill -INT $PPID; kill -INT $$", &err) == -1 &&
			       err && err->code == ERR_INTERRUPTED;
	}
	tap_check(interrupted == TIMES, "an interrupt that ends the child first is one: %zu of %d",
		  interrupted, TIMES);
	return tap_done();
}
