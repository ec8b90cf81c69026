/* The unpacker: in a jail whose root is the new tree, a supervisor and one worker per processor,
 * each with one package at a time. It leaves a tree as after `dpkg --unpack`, and a plan of what
 * dpkg still has to do (unpack_plan.h). No program of a package has run yet. After debootstrap's
 * first stage it applies the filters, which debootstrap does not know. */
#pragma once

/* Serves tasks from SOCKET until it closes. Returns an exit status. */
int unpacker_run(int socket);
