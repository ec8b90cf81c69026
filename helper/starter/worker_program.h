/* rootlet-worker, the program that reads package data. It is started only in jails, from a
 * descriptor that was opened beforehand, because no path in a jail leads to it. */
#pragma once

#include "helper/starter/session.h"

/* Opens the program, which lies beside rootlet-helper; in installed mode it and its directory must
 * be root's. PROGRAM becomes a descriptor, or -1 if its code is linked into this program. Returns
 * 0, or -1 with ERR set: ERR_HOST. */
int worker_open(const struct session *session, int *program, struct error **err);

/* Called in a jail, with the rights that the worker is to have. Becomes PROGRAM, which does the job
 * WHAT (helper/worker/jobs.h) for the peer of SOCKET. */
_Noreturn void worker_start(int program, const char *what, int socket);
