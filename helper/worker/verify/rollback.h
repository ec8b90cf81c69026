/* Refuses a release file that is older than one that was accepted before. */
#pragma once

#include "helper/worker/verify/chain.h"
#include "proto/release_dates.h"

/* What the front end says about a release file. */
struct release_claim {
	const char *mirror;
	bool older;	/* accept it even if it is older */
	uint32_t dated; /* of a dated archive: neither compare nor remember it */
};

/* FOUND is the verified file. Returns an enum release_verdict if the file is accepted, or -1 with
 * ERR set: ERR_TRUST, with number ESTALE, if it is older and CLAIM does not accept that; ERR_HOST
 * if an installed helper has no memory, or if the memory is damaged. If a caller has no memory, any
 * file is accepted. */
int rollback_check(const struct rollback *r, const struct release_claim *claim,
		   const struct chain_pocket *found, struct error **err);
