/* rootlet-worker: reads what packages and trees hold. rootlet-helper starts it in a jail of its
 * own, with a socket for tasks as descriptor 3, and with the rights of its row in
 * policy/privilege_sets.c. It has no other way to any right: started by hand it is an ordinary
 * program.
 *
 *   verify  in the tool jail: the chain of trust, and debootstrap's first stage   (verifier.c)
 *   unpack  sees the new tree: unpacks packages                                   (unpacker.c)
 *   and other jobs that look through a tree, clone or empty it                    (tree_jobs.c)
 */
#pragma once

/* Does WHAT for the other end of SOCKET until that closes. Returns an exit status. */
int worker_run(const char *what, int socket);
