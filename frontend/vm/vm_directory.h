/* The private directory of a VM, as vng and qemu see it. */
#pragma once

/* Contents: root/ (unless the host's root is the guest's), kernel/boot/vmlinuz,
 * kernel/lib/modules/VERSION, tmp/, share0 and so on, the FIFOs console and status and, if the
 * command has a terminal, terminal.in and terminal.out. The names are fixed, since vng pastes its
 * arguments into a shell command: a path of the user's never appears there. The directory is this
 * one, in the VM's own mount namespace, or the one in host_layout.h. */
#define VM_DIR "/mnt"
#define VM_TREE VM_DIR "/root"
#define VM_IMAGE VM_DIR "/kernel/boot/vmlinuz"

/* The guest's port for "started" and "exit N". */
#define VM_STATUS_PORT "rootlet.status"

/* The terminal's FIFOs in VM_DIR: the guest reads the first and writes the second. */
#define VM_TERMINAL_IN "terminal.in"
#define VM_TERMINAL_OUT "terminal.out"

/* Those of qemu's gdb stub, likewise; qemu finds them as gdb.in and gdb.out. */
#define VM_GDB "gdb"
#define VM_GDB_IN VM_GDB ".in"
#define VM_GDB_OUT VM_GDB ".out"

/* Those of its monitor, and the one it writes the guest's memory to. */
#define VM_MONITOR "monitor"
#define VM_MONITOR_IN VM_MONITOR ".in"
#define VM_MONITOR_OUT VM_MONITOR ".out"
#define VM_MEMORY "memory"
