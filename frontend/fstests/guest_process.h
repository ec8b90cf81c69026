/* A VM in a child process, so that one process can serve several: vm_run() blocks until its VM is
 * gone. The child reads what the VM prints and passes it on in packets. It dies with its parent. */
#pragma once

#include <sys/types.h>

#include "frontend/vm/vm.h"

struct guest_process {
	pid_t pid;  /* 0: none */
	int socket; /* packets; readable if there is one */
	int orders; /* pipe to the command's standard input */
};

#define GUEST_PROCESS_NONE ((struct guest_process){ .socket = -1, .orders = -1 })

/* Boots CONFIG's guest, whose callbacks are not used. */
int guest_process_start(const struct vm_config *config, struct guest_process *g,
			struct error **err);

/* Handles one packet: passes output, console and a second boot to CONFIG's callbacks. Returns 0, or
 * 1 if the VM is gone: then *RESULT is vm_run()'s and *STATUS what it returned, with *WHY. */
int guest_process_serve(struct guest_process *g, const struct vm_config *config,
			struct vm_result *result, int *status, struct error **why);

/* Sends a line to the command. ERR_SYSTEM if the guest does not read. */
int guest_process_order(const struct guest_process *g, const char *line, struct error **err);

/* Asks for the end of the VM, which guest_process_serve() then reports as result->ended. */
void guest_process_stop(const struct guest_process *g);

/* Waits until the child is gone, and the VM with it. */
void guest_process_end(struct guest_process *g);
