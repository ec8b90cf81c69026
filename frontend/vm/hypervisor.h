/* The child process behind vm_run(). If the guest's root is a rootfs, it enters the helper's outer
 * user namespace; otherwise it makes one in which only the caller exists. It creates the VM's own
 * mount, pid, ipc, uts, network and cgroup namespaces, lays out the files that vng may see, and
 * starts vng without privileges, except the right to read a rootfs. It ends when its parent does.
 */
#pragma once

#include "frontend/vm/vm_config.h"
#include "lib/error.h"

/* Never returns. STDIO are vng's standard streams. CHANNEL is the socket to the parent: it carries
 * packets "ready" back, with the descriptors in struct vm_lines, or one with an error code and a
 * message. The whole VM ends when the other end of CHANNEL closes. */
_Noreturn void hypervisor_main(const struct vm_config *config, const int stdio[3], int channel);

/* The parent's ends of the VM's FIFOs, non-blocking; -1 for those that CONFIG does not need. */
struct vm_lines {
	int console, status, terminal_in, terminal_out, gdb_in, gdb_out, monitor[2], memory;
};

/* Waits for these packets. The caller closes LINES. */
int hypervisor_wait(int channel, const struct vm_config *config, struct vm_lines *lines,
		    struct error **err);
