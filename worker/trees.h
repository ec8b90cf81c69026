/* Work on a whole tree, which is /tree: each of these is a job of jobs.h. They tell its result to
 * the other end of SOCKET and return an exit status. */
#pragma once

int work_count(int socket);
int work_check_mounts(int socket);
int work_digest(int socket);
int work_empty(int socket);
int work_clone(int socket);	    /* /source into /tree, all of it */
int work_clone_to_link(int socket); /* likewise, but for what the jailer links */
int work_clone_linked(int socket);  /* what in /source has several names */
