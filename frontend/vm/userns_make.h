/* The system calls of rootlet-userns. */
#pragma once

#include <stdbool.h>

/* Moves this process into a new user namespace in which its own ids are 0 and no others exist.
 * Returns 0, or -1 with errno set; MADE tells whether the namespace was created. */
int userns_make(bool *made);
