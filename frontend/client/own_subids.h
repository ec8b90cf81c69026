/* The range of ids of the user that runs this process. It is in /etc/subuid and /etc/subgid, unless
 * /etc/nsswitch.conf names a service for "subid", such as sss: then that service alone has it, and
 * libsubid asks it. newuidmap(1) decides in the same way, so nothing here has to be trusted. */
#pragma once

#include <stdbool.h>

#include "policy/subids_find.h"

#define SUBID_SERVICE_SIZE 51 /* newuidmap ignores longer names */

/* As subids_find(), but FIX is advice if a service has the ranges: see own_subids_ask(). */
bool own_subids_find(struct subids *subids);

/* What comes before FIX in a message: "ask an administrator to run: " for a command, else "". */
const char *own_subids_ask(const struct subids *subids);

/* The service that has the ranges. False: none, they are in files. */
bool own_subids_service(char name[static SUBID_SERVICE_SIZE]);

/* Whether libsubid can be loaded. Built without it: false. */
bool own_subids_has_library(void);
