/* rootlet-worker reads packages and trees. rootlet-helper starts it in a jail of its own, with a
 * socket for tasks as descriptor 3, and with the rights of its row in policy/privilege_sets.c. It
 * cannot get any other rights: started by hand, it is an ordinary program.
 *
 *   verify  in the tool jail: the chain of trust, and debootstrap's first stage   (verifier.c)
 *   unpack  sees the new tree: unpacks packages                                   (unpacker.c)
 *   and other jobs that read, clone or empty a tree                               (tree_jobs.c)
 */
#pragma once

/* Does the job WHAT for the peer of SOCKET until that closes. Returns an exit status. */
int worker_run(const char *what, int socket);
