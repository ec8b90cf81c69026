/* The system calls of rootlet-userns. */
#pragma once

#include <stdbool.h>

/* Puts this process into a new user namespace in which its own ids are 0 and there are no others.
 * Returns 0, or -1 with errno set; MADE says whether there is a namespace. */
int userns_make(bool *made);
