/* Starts rootlet-worker in a jail, from a descriptor, because no path in a jail leads to it. */
#pragma once

/* Called with the rights that the worker is to have. Becomes PROGRAM, of worker_open(), which does
 * the job WHAT (helper/worker/jobs.h) for the peer of SOCKET. */
_Noreturn void worker_start(int program, const char *what, int socket);
