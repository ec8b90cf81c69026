/* The far side of vm_run(): a process that enters the level-1 user namespace where the guest's root
 * is a rootfs, or else makes one in which the caller is all there is; makes the VM's own mount,
 * pid, ipc, uts and network namespaces; lays out what vng shall see; and starts vng with no right
 * left but, for a rootfs, reading it. It ends with whoever started it. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "lib/error.h"

/* Never returns. STDIO are vng's; CHANNEL is the near side's socket: one packet comes back, either
 * "ready" with the descriptors of its lines, or an error's code and text.
 * When CHANNEL's other end closes, all of the VM ends. */
_Noreturn void hypervisor_main(const struct vm_config *config, const int stdio[3], int channel);

/* The near side of what the VM says, non-blocking. The last two: -1 if the command has no terminal.
 */
struct vm_lines {
	int console, status, terminal_in, terminal_out;
};

/* Waits for that packet. LINES are the caller's. */
int hypervisor_wait(int channel, struct vm_lines *lines, struct error **err);
