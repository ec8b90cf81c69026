/* The distribution's own debootstrap, offline. Its first stage runs in the tool jail, on a mirror
 * that contains the chosen packages and nothing else. The second stage runs in the tree. */
#pragma once

#include "helper/worker/verify/chain.h"

/* Creates the mirror and fills /staging/tree. Progress goes to CHANNEL. */
int debootstrap_first_stage(const struct chain *c, int channel, struct error **err);
