/* One guest of a run: boots, runs check on the tests that it is given, and says how each ended. A
 * crashed kernel or a hung test ends the boot. */
#pragma once

#include "frontend/fstests/check_output.h"
#include "frontend/fstests/fstests.h"
#include "frontend/fstests/guest_orders.h"
#include "frontend/fstests/guest_process.h"
#include "frontend/fstests/kernel_log.h"

#define LAST_LINES 1024

struct test_guest {
	struct fstests_run *run;
	unsigned int number; /* from 1; 0 if it is the run's only one */
	int output_fd, console_fd, results_fd;

	/* the current boot */
	struct guest_process process;
	struct vm_config vm;
	struct guest_orders orders;
	struct check_output *output;
	struct kernel_log *log;
	char test[128], section[128]; /* "" if none is running */
	double began;		      /* start of the test */
	double fatal;		      /* when the kernel reported a fatal error; 0 if it did not */
	bool held;		      /* a debugger has the guest, or is awaited */
	double looked;		      /* when that was last looked at */
	bool stopped;		      /* we ended the boot */
	bool hung;		      /* we ended the boot: the test's time was up */
	bool unfinished;	      /* or check did not finish a test */
	bool leaving;		      /* it was told to power off */
	size_t ended;		      /* number of tests that ended */
	size_t ended_before;	      /* before the current check */
	char complaint[256];	      /* check's, about its arguments or setup; "" if none */
	char trace[INCIDENT_TRACE_MAX], why[256]; /* about the crash */
	char last[LAST_LINES + 1];		  /* the end of the output */
	size_t last_length;
	struct error *err; /* the first failure in a callback */

	/* Called for each question of the guest's script, and for each result. */
	void (*asked)(struct test_guest *g, const struct guest_question *question);
	void (*done)(struct test_guest *g, const struct test_result *result);
	void *context;
};

/* Opens the files of the run that the guest's output goes to. */
int test_guest_open(struct test_guest *g, struct error **err);
void test_guest_close(struct test_guest *g);

int test_guest_boot(struct test_guest *g, struct error **err);

/* Answers a question: guest_orders.h. Failures are those of the boot. */
void test_guest_tell(struct test_guest *g, const char *order, const struct batch *batch);

/* Reports a result that check has printed completely, though nothing followed it yet. */
void test_guest_flush(struct test_guest *g);

/* Judges a check that exited with STATUS. Returns false if the boot is to end for it. */
bool test_guest_finished(struct test_guest *g, int status);

/* If a debugger has the guest, moves the deadlines by the time since the last call. */
void test_guest_hold(struct test_guest *g);

/* Ends the boot if the test's or the run's time is up, after an oops, or after a failure. */
void test_guest_watch(struct test_guest *g);

enum run_verdict { VERDICT_DONE, VERDICT_AGAIN, VERDICT_STOP, VERDICT_ERROR };

/* Handles what the guest sent. Returns true if the boot is over; then *VERDICT is what to do next,
 * with ERR for VERDICT_ERROR. */
bool test_guest_serve(struct test_guest *g, enum run_verdict *verdict, struct error **err);
