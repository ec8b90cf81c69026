/* Whether KVM can run a guest. /dev/kvm can exist and open, yet never boot one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Runs a small counting guest, with a time limit of two seconds, and caches the result until the
 * next host boot. If it returns false, WHY (SIZE bytes) holds the reason. */
bool kvm_runs(char *why, size_t size);
