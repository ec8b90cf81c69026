/* The private directory of a VM, as vng and qemu see it. */
#pragma once

/* What vng and qemu find in their private folder: root/ (but where the host's is the guest's root),
 * kernel/boot/vmlinuz and kernel/lib/modules/VERSION, the FIFOs console and status and, for a
 * command's terminal, terminal.in and terminal.out, share0 and so on, tmp/. Fixed names, since vng
 * pastes its arguments into a shell line: no path of the user's ever stands there. The folder is
 * this one, of the VM's own mount namespace, or see host_layout.h. */
#define VM_FOLDER "/mnt"
#define VM_TREE VM_FOLDER "/root"
#define VM_IMAGE VM_FOLDER "/kernel/boot/vmlinuz"

/* The guest's end of the line for "started" and "exit N". */
#define VM_STATUS_PORT "rootlet.status"

/* Places of the terminal's FIFOs in VM_FOLDER: what the guest reads and what it writes. */
#define VM_TERMINAL_IN "terminal.in"
#define VM_TERMINAL_OUT "terminal.out"
