/* The verifier: in the tool jail, it checks the chain of trust from the signature down, keeps what
 * has passed in the staging directory, and runs debootstrap's first stage on nothing else. */
#pragma once

/* Serves tasks from SOCKET until it closes. Returns an exit status. */
int verifier_run(int socket);
