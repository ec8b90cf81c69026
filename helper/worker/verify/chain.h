/* The chain of trust: keyring → InRelease → Packages → .deb. Whatever has passed is copied, so that
 * nobody can change it afterwards. Runs in the verifier. Formats: Debian's repository format,
 * deb822(5), gpgv(1). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/deb822.h"
#include "proto/task.h"

#define STAGING "/staging"
#define MIRROR STAGING "/mirror"
#define CHAIN_INDEXES_MAX 64
#define CHAIN_POCKETS_MAX 16
#define CHAIN_KEYRING_SIZE 17

struct chain_index {
	char *text; /* mapped */
	size_t size;
};

struct stanza {
	const char *text;
	uint32_t length;
	uint8_t sha256[SHA256_LEN];
	uint64_t size; /* of the .deb */
};

struct chain_pocket {
	char name[WORD_SIZE];	   /* for chain_index() */
	char suite[2 * WORD_SIZE]; /* "jammy-updates" */
	/* The beginning of the hash of a repository's own keyring; "": the release's archive. */
	char keyring[CHAIN_KEYRING_SIZE];
	char *release; /* the signed text */
	int64_t date;  /* its date */
	char origin[WORD_SIZE];
};

struct chosen {
	char name[PACKAGE_NAME_MAX + 1];
	struct stanza stanza;
};

struct chain {
	char suite[WORD_SIZE], arch[WORD_SIZE];
	bool copies; /* copy packages, for debootstrap; else only check their names */
	struct chain_pocket pockets[CHAIN_POCKETS_MAX];
	size_t pocket_count;
	struct chain_index indexes[CHAIN_INDEXES_MAX];
	size_t index_count;
	struct stanza *stanzas; /* by hash if SORTED */
	size_t stanza_count, stanza_room;
	bool sorted;
	struct chosen chosen[PACKAGES_MAX];
	size_t chosen_count;
};

/* Each returns 0, or -1 with ERR set: ERR_TRUST if a link of the chain fails. TASK is a Begin or a
 * Change. */
int chain_begin(struct chain *c, const struct task *task, int keyring, struct error **err);

/* DATED: see rootlet.proto. */
int chain_release(struct chain *c, const char *pocket, int inrelease, uint32_t dated,
		  struct error **err);

/* The same for a repository, against its own KEYRING. */
int chain_repository(struct chain *c, const struct task *task, int inrelease, int keyring,
		     struct error **err);

/* As one of these, for one file without a build, against KEYRING. */
int chain_check_release(struct chain *c, const struct task *task, int inrelease, int keyring,
			struct error **err);
int chain_index(struct chain *c, const char *pocket, const char *component, int packages,
		struct error **err);

/* Checks that a signed index names a package with this hash and DEB's size. With COPIES, also
 * checks that DEB has this hash, and keeps a copy. Otherwise the unpacker hashes it: unpacker.c. */
int chain_package(struct chain *c, const char *name, const uint8_t sha256[static SHA256_LEN],
		  int deb, struct error **err);
