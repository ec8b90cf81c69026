/* rootlet-worker, the program that reads package data. It is started in jails only, from a
 * descriptor that was opened beforehand: in a jail there is no path to it. */
#pragma once

#include "helper/starter/session.h"

/* Opens the program, which lies beside rootlet-helper; in installed mode it and its directory must
 * be root's. PROGRAM becomes a descriptor, or -1 if its code is linked into this program. Returns
 * 0, or -1 with ERR set: ERR_HOST. */
int worker_open(const struct session *session, int *program, struct error **err);

/* In a jail, with the rights that the worker is to have: becomes PROGRAM, which does the
 * job WHAT (helper/worker/jobs.h) for the other end of SOCKET. */
_Noreturn void worker_start(int program, const char *what, int socket);
