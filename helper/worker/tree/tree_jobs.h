/* Work on a whole tree, which is /tree. */
#pragma once

#define NO_SUCH_JOB 2 /* exit status */

/* Does WHAT, and tells its result to the other end of SOCKET:
 *
 *   count, digest, check-mounts  look through it
 *   empty                        removes all that is in it
 *   clone                        copies /source into it
 *   clone-to-link                likewise, but for the files that the jailer links
 *   clone-linked                 likewise, but only files below usr/ that have several names
 *
 * Returns an exit status. */
int trees_run(const char *what, int socket);
