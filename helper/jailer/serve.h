/* The jailer: one table says all that can be asked of it. */
#pragma once

#include <poll.h>

#include "helper/audit/audit.h"
#include "helper/starter/idmap.h"
#include "helper/jailer/jail.h"
#include "helper/jailer/stage.h"
#include "lib/output.h"
#include "proto/task.h"

struct server {
	int parser; /* socket */
	int audit;  /* socket of audit_serve() */
	int key;    /* snapshot_key_open() */
	int worker; /* worker_open() */
	const struct session *session;
	const struct idmap *map;
	bool greeted;
	uint32_t refusals; /* in a row */
	unsigned limit;	   /* seconds that the request may take; 0: any number */
	int64_t deadline;  /* serve_now() at which they have passed */
	unsigned phase;	   /* WHEN_IDLE, WHEN_BUILDING or WHEN_BUILT */

	/* the tree that is being made; build.c */
	int parent, staging, tree; /* descriptors or -1 */
	char name[ROOTFS_NAME_MAX + 1], staging_name[ROOTFS_NAME_MAX + 32];
	char suite[WORD_SIZE];
	uint32_t package_count;
	bool native; /* the engine */
	struct stage verifier, unpacker;
};

struct outcome {
	int status; /* of execute */
	int fd;	    /* sent with the result; -1: none; closed after it */
};

/* Serves until the parser is gone, then ends and removes what is unfinished. Returns the exit
 * status. */
int serve(int parser, int audit, int key, int worker, const struct session *session,
	  const struct idmap *map);

/* Runs a jail to its end. The text that it prints goes to OUTPUT (NULL: the spec's own stdio is
 * used). Returns its exit status, or -1 with ERR set: ERR_INTERRUPTED if the front end left or the
 * request's time limit has passed; the jail has ended then, too. */
int serve_jail(struct server *s, const struct jail_spec *spec, struct output *output,
	       struct error **err);

/* Seconds of the monotonic clock, for limits. */
int64_t serve_now(void);

/* To the front end: progress, which one that does not read misses, and a line of what a jail says,
 * for which the jailer waits up to the deadline. */
void serve_progress(const struct server *s, const char *stage, uint64_t done, uint64_t total);
void serve_log(const struct server *s, const char *line);

/* For poll(2): who has to be there while anything is done. They send nothing meanwhile, so that all
 * that comes is their end: serve_check_witnesses() is -1 then, with ERR_INTERRUPTED if it is the
 * front end's. */
#define WITNESSES 2
void serve_watch_witnesses(const struct server *s, struct pollfd fds[static WITNESSES]);
int serve_check_witnesses(const struct pollfd fds[static WITNESSES], struct error **err);

/* -1 with ERR_INTERRUPTED if the request's time limit has passed. */
int serve_check_time(const struct server *s, struct error **err);

/* For what is done without a jail, every now and then: -1 with ERR_INTERRUPTED if the front end has
 * left (for which it waits PAUSE ms) or the request's time limit has passed. */
int serve_go_on(const struct server *s, int pause, struct error **err);

/* Locks FD, which another process may have locked. -1 with ERR_INTERRUPTED after two minutes, and
 * as serve_go_on(). */
int serve_lock(const struct server *s, int fd, struct error **err);

/* One handler for each row of requests.h; FDS are as the row says and stay the caller's. */
typedef int handler(struct server *s, const struct task *task, const int *fds, struct outcome *out,
		    struct error **err);
#define HANDLER(NAME, Name, name, ...) handler handle_##name;
REQUESTS(HANDLER)
#undef HANDLER

/* Sends TASK with FDS to the worker of STAGE; its result becomes ours and NOTE. build.c */
int stage_ask(const struct server *s, const struct stage *stage, const struct task *task,
	      const int *fds, size_t count, struct note *note, struct error **err);

/* Has the tree's own dpkg configure what is unpacked, and leaves in the tree what no package does.
 * engine.c */
int engine_configure(struct server *s, struct error **err);

/* Makes and locks the folder NAME in PARENT, which nobody but the range's first id can enter, with
 * an empty folder "tree" in it, which TREE is open on. The lock goes with the last process that
 * holds it. Returns its descriptor, or -1 with ERR set. build.c */
int staging_open(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err);

/* Makes and locks the staging folder for NAME in the folder PARENT, and an empty tree in it, all of
 * which S holds then. build.c */
int staging_make(struct server *s, int parent, const char *name, struct error **err);

/* Writes the manifest into a tree. build.c */
int manifest_place(int tree, int from, struct error **err);

/* Ends the verifier and removes the staging, if there is one. build.c */
void build_abandon(struct server *s);

/* Removes a staging or trash folder of NAME that no living process holds. rootfs.c */
int remove_stale(const struct server *s, int parent, const char *prefix, const char *name,
		 struct error **err);

/* Puts the tree of STAGING into a directory of its own there that only the range's first id can
 * enter. Returns 0, or -1 with ERR set: ERR_TRUST if it is not TREE. build.c */
int staging_close(int staging, int tree, struct error **err);

/* The tree of the rootfs FOLDER: what is in it, if it is closed (*CLOSED, which may be NULL), else
 * itself. A descriptor, or -1 with errno set. rootfs.c */
int rootfs_tree(int folder, bool *closed);

/* A folder of the range's first id, with a manifest: may be removed, and counts. rootfs.c */
bool is_rootfs(int folder);

/* Likewise, and nobody but that id has put anything there: programs in it may run as the jail's
 * root. A folder of a tree where everybody may write, as /var/tmp, is none. rootfs.c */
bool is_sound_rootfs(int folder);

/* Whether the owners of the files there are more than the caller's word: the filesystem is one of
 * OWNERS_KEPT. Asked in installed mode alone. rootfs.c */
#define OWNERS_KEPT "ext2 to ext4, xfs, btrfs, f2fs, bcachefs, zfs, tmpfs, overlayfs"
bool keeps_owners(const struct server *s, int folder);

/* Opens and locks the rootfs NAME to be removed or replaced. ERR_MISSING where there is none,
 * ERR_REFUSED where it is not rootlet's, ERR_BUSY where it is in use or has mounts. rootfs.c */
int claim_rootfs(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err);

/* A closed rootfs, or snapshot, is a directory (0700) that has the tree (0755) as this. The tree
 * itself cannot be the closed one: its users have to enter their "/". In a staging directory
 * nothing has this name, so that one of these is never taken for a rootfs. */
#define CLOSED_TREE "rootfs"
/* The names in a staging directory: the tree, and the closed directory around it. */
#define STAGED_TREE "tree"
#define STAGED_CLOSED "closed"

#define STAGING_PREFIX ".rootlet-staging."
#define TRASH_PREFIX ".rootlet-trash."
