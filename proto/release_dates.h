/* How the verifier compares a release file's date with the newest one that was accepted before
 * (lib/release_memory.h). It gets this before its first task, with the memory's descriptor. */
#pragma once

#include <stdbool.h>

/* In user and root mode, the memory is the caller's own, and keyed by the mirror that the front end
 * names. In installed mode it is root's, one per caller, and keyed by the signed Origin: a front
 * end that was taken over could name another mirror each time. */
struct rollback {
	int fd;		/* -1: none */
	bool signer;	/* keyed by the signed Origin */
	bool compare;	/* false: the memory does not cover this session's release files */
	char path[512]; /* for messages */
};

/* A verifier's answer to Release and CheckRelease; the front end gets the latter: rootlet.proto. */
enum release_verdict { VERDICT_NEWEST, VERDICT_OLDER, VERDICT_NOT_COMPARED };
