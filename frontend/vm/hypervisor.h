/* The far side of vm_run(): a process that enters the level-1 user namespace where the guest's root
 * is a rootfs, or else makes one in which the caller is all there is; makes the VM's own mount,
 * pid, ipc, uts and network namespaces; lays out what vng shall see; and starts vng with no right
 * left but, for a rootfs, reading it. It ends with whoever started it. */
#pragma once

#include "frontend/vm/vm.h"

/* What vng and qemu find in their private folder: root/ (but where the host's is the guest's root),
 * kernel/boot/vmlinuz and kernel/lib/modules/VERSION, the FIFOs console and status and, for a
 * command's terminal, terminal.in and terminal.out, share0 and so on, tmp/. Fixed names, since vng
 * pastes its arguments into a shell line: no path of the user's ever stands there. The folder is
 * this one, of the VM's own mount namespace, or see host_layout.h.
 */
#define VM_FOLDER "/mnt"
#define VM_TREE VM_FOLDER "/root"
#define VM_IMAGE VM_FOLDER "/kernel/boot/vmlinuz"

/* The guest's end of the line for "started" and "exit N". */
#define VM_STATUS_PORT "rootlet.status"

/* Places of the terminal's FIFOs in VM_FOLDER: what the guest reads and what it writes. */
#define VM_TERMINAL_IN "terminal.in"
#define VM_TERMINAL_OUT "terminal.out"

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
