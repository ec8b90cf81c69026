/* Whether KVM really runs a guest here. /dev/kvm can be there, open, and yet never boot one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Runs a guest that counts, with a deadline of two seconds; what comes out is remembered until the
 * next boot. Where it is false, WHY (SIZE bytes) gets the reason as a phrase. */
bool kvm_runs(char *why, size_t size);
