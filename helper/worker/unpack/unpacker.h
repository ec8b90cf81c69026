/* The unpacker: in a jail whose root is the new tree, a supervisor and as many workers as there are
 * processors, each with one package at a time. What it leaves is a tree as after `dpkg --unpack`,
 * and the plan of what dpkg still has to do (unpack_plan.h). No package's program has run yet.
 * After debootstrap's first stage it applies the filters, which that does not know. */
#pragma once

/* Serves tasks from SOCKET until it closes. Returns an exit status. */
int unpacker_run(int socket);
