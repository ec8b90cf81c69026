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
#define DIGEST_ENTRIES_MAX (UINT64_C(1) << 22)

/* The SHA-256 of the tree's entries: of each file, directory and link the SHA-256 of its path,
 * type, mode, owner, target, extended attributes and content, each with its length before it, in
 * ascending order. Times are left out, and so is the mode of the tree's own directory, which is
 * rootlet's to set. */
struct tree_digest {
	uint8_t sum[SHA256_LEN];
	uint64_t count;
};

struct digesting {
	struct pace pace;
	int tree;
	int sums; /* a file in memory: those of the entries, as all processes append them; or -1 */
	uint64_t added; /* entries */
	int queue[2];	/* paths, each a packet: the end to read, the end to write; or -1 */
	int results;	/* what the processes say in the end; or -1 */
	pid_t processes[DIGEST_PROCESSES_MAX];
	size_t count;
};

/* Begins the digest of TREE, a descriptor that stays open until the end of it, for the work that
 * PACE is of. Whatever follows, digest_end() or digest_abandon() ends it. */
int digest_begin(struct digesting *d, const struct pace *pace, int tree, struct error **err);

/* Adds the regular file PATH of the tree, which is not to be written to any more. What goes wrong
 * with it may be told by digest_end(). ERR_INPUT where the tree has too many entries. */
int digest_file(struct digesting *d, const char *path, struct error **err);

/* Likewise what is no regular file. FD is of a directory, else -1; TARGET of a link, else NULL. */
int digest_entry(struct digesting *d, const char *path, const struct stat *st, int fd,
		 const char *target, struct error **err);

/* Hashes what is left, waits for the processes, and tells the digest. */
int digest_end(struct digesting *d, struct tree_digest *digest, struct error **err);

/* Ends the processes; does nothing after digest_end(). */
void digest_abandon(struct digesting *d);
