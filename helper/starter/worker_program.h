/* rootlet-worker, the program that reads package data. Jails start it from a descriptor that was
 * opened beforehand (helper/jailer/worker_start.h). */
#pragma once

#include "helper/starter/session.h"

/* Opens the program, which lies beside rootlet-helper; in installed mode it and its directory must
 * be root's. PROGRAM becomes a descriptor, or -1 if its code is linked into this program. Returns
 * 0, or -1 with ERR set: ERR_HOST. */
int worker_open(const struct session *session, int *program, struct error **err);
