/* Jobs on a whole tree, which is /tree. */
#pragma once

#define NO_SUCH_JOB 2 /* exit status */

/* Does the job WHAT, and sends its result to the peer of SOCKET:
 *
 *   count, digest, check-mounts  read it
 *   empty                        removes everything in it
 *   clone                        copies /source into it
 *   clone-to-link                the same, except for the files that the jailer links
 *   clone-linked                 the same, but only files below usr/ that have several names
 *
 * Returns an exit status. */
int trees_run(const char *what, int socket);
