/* The packages that a rootfs has, for libsolv. The text comes from the rootfs, so it is untrusted,
 * and only the confined fetch process parses it. Format: dpkg's status file. */
#pragma once

#include <solv/pool.h>
#include <solv/queue.h>

#include "lib/error.h"

#define INSTALLED_MAX (32 << 20) /* bytes */

/* Adds the installed packages of STATUS, a descriptor at its start that stays open, to POOL as a
 * repository, which pool->installed is then. Packages on hold get a lock in JOB. ERR_INPUT if the
 * file is malformed, or if a package is only half installed: the message names it. */
int installed_load(Pool *pool, int status, Queue *job, struct error **err);
