/* The ids of the outer user namespace. */
#pragma once

#include <stdint.h>

#include "proto/tree_facts.h"

#define CALLER_ID 65535u /* the caller, in the outer user namespace */
#define SPARE_ID 65536u	 /* the range's last id, which owns no file; in installed mode only */

struct idmap {
	uint32_t first_uid, first_gid;
};
