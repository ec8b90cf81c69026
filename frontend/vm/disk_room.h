/* The room that a guest's disks have on the host. They are sparse: qemu pauses a guest whose disk
 * cannot grow, and says so only to a monitor. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "lib/error.h"

#define DISK_ROOM_MS 1000 /* between two looks */

/* $TMPDIR or /var/tmp, where new disks are. */
const char *disk_room_dir(void);

/* Returns 0, or -1 with ERR_SPACE if a disk of CONFIG can hardly grow. Disks in memory, and those
 * that are complete, always have room. */
int disk_room_check(const struct vm_config *config, struct error **err);
