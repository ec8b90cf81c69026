/* The state of the jailer, one per front end. */
#pragma once

#include "helper/jailer/jail.h"
#include "helper/starter/ids.h"
#include "helper/starter/session.h"
#include "proto/task.h"

/* A jail, and the jailer's end of the worker's socket. */
struct stage {
	struct jail jail;
	int socket;
};

#define STAGE_NONE ((struct stage){ .jail = JAIL_NONE, .socket = -1 })

struct server {
	int parser; /* socket */
	int audit;  /* socket of audit_serve() */
	int key;    /* snapshot_key_open() */
	int worker; /* worker_open() */
	const struct session *session;
	const struct idmap *map;
	bool greeted;
	uint32_t refusals; /* in a row */
	unsigned limit;	   /* time limit of the request in seconds; 0: none */
	int64_t deadline;  /* clock_seconds() at which it has passed */
	unsigned phase;	   /* WHEN_IDLE, WHEN_BUILDING or WHEN_BUILT */

	/* the tree that is being built; build.c */
	int parent, staging, tree; /* descriptors or -1 */
	int old;		   /* the rootfs that is being changed, locked, or -1 */
	char name[ROOTFS_NAME_MAX + 1], staging_name[ROOTFS_NAME_MAX + 32];
	bool native, pieces; /* the engine; neither: debootstrap */
	bool changes;	     /* the tree has packages already: dpkg adds and replaces some */
	uint32_t epoch;	     /* for a reproducible tree, in seconds since 1970; 0: none */
	struct stage verifier, unpacker;
};

/* A request that is being served. */
struct request {
	const struct task *task;
	const int *fds; /* match the row of requests.h; the dispatcher closes them */
	int status;	/* goes with the result; its meaning depends on the request */
	int fd;		/* sent with the result; -1: none; closed after it */
};
