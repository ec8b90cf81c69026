/* The last steps before a jail's program runs. The process is already in the jail and confined like
 * the program: it has given up every right that the program does not get. */
#pragma once

#include "helper/jailer/jail_spec.h"

_Noreturn void jail_run_program(const struct jail_spec *spec);
