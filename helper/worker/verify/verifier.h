/* The verifier: in the tool jail, it checks the chain of trust from the signature down, keeps what
 * passed in the staging folder, and runs debootstrap's first stage on that alone. */
#pragma once

/* Serves tasks from SOCKET until it closes. Returns an exit status. */
int verifier_run(int socket);
