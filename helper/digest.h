/* What a tree is, in one number. The content of its files is hashed by as many processes as there
 * are processors, each a child of who asks. */
#pragma once

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "helper/serve.h"
#include "proto/error.h"
#include "proto/validate.h"

#define DIGEST_PROCESSES_MAX 8 /* with the caller's */

/* The exclusive or of a SHA-256 of each of its files, folders and links, which covers path, type,
 * mode, owner, target, extended attributes and content, but times. */
struct tree_digest {
	uint8_t sum[SHA256_LEN];
	uint64_t count;
};

struct digesting {
	struct pace pace;
	int tree;
	struct tree_digest digest;
	int queue[2]; /* paths, each a packet: the end to read, the end to write; or -1 */
	int results;  /* what the processes found; or -1 */
	pid_t processes[DIGEST_PROCESSES_MAX];
	size_t count;
};

/* Begins the digest of TREE, a descriptor that stays open until the end of it, for the work that
 * PACE is of. Whatever follows, digest_end() or digest_abandon() ends it. */
int digest_begin(struct digesting *d, const struct pace *pace, int tree, struct error **err);

/* Adds the regular file PATH of the tree, which is not to be written to any more. What goes wrong
 * with it may be told by digest_end(). */
int digest_file(struct digesting *d, const char *path, struct error **err);

/* Adds what is no regular file. FD is of a folder, else -1; TARGET of a link, else NULL. */
int digest_entry(struct digesting *d, const char *path, const struct stat *st, int fd,
		 const char *target, struct error **err);

/* Hashes what is left, waits for the processes, and tells the digest. */
int digest_end(struct digesting *d, struct tree_digest *digest, struct error **err);

/* Ends the processes; does nothing after digest_end(). */
void digest_abandon(struct digesting *d);
