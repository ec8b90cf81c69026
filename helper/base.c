/* Bases: finished trees in the cache, to be cloned. One is a rootfs as any other, named by the hash
 * of all that made it. /etc/rootlet/digest in it has its digest, and below that the hash of what
 * the policy said when it was made. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "helper/bounds.h"
#include "helper/clone.h"
#include "helper/hash.h"
#include "helper/serve.h"
#include "helper/tree.h"

#define DIGEST OWN_FOLDER "/digest"
#define MANIFEST OWN_FOLDER "/manifest.json"
#define DIGEST_TEXT_MAX 256

/* The lines that say whether a base is whole. A clone gets a manifest of its own, made of the
 * base's: that has to be as whole as the rest. */
static int print_digest(int base, const struct tree_digest *digest,
			char text[static DIGEST_TEXT_MAX], struct error **err)
{
	char tree_hex[2 * SHA256_LEN + 1], manifest_hex[2 * SHA256_LEN + 1];
	_cleanup_free_ char *manifest = NULL;
	uint8_t sum[SHA256_LEN];
	size_t size;

	manifest = tree_read_file(base, MANIFEST, MANIFEST_MAX, &size);
	if (!manifest)
		return error_errno(err, ERR_TRUST, "cannot read the base's manifest");
	hash_of(manifest, size, sum);
	sha256_to_hex(sum, manifest_hex);
	sha256_to_hex(digest->sum, tree_hex);
	snprintf(text, DIGEST_TEXT_MAX, "%s %" PRIu64 "\n%s\n", tree_hex, digest->count,
		 manifest_hex);
	return 0;
}

/* What the policy says of what a rootfs may be made of, as a hash. */
static int hash_rule(const struct server *s, char hex[static 2 * SHA256_LEN + 1],
		     struct error **err)
{
	_cleanup_free_ char *content = policy_rule_content(s->session->grant.rule);
	uint8_t sum[SHA256_LEN];

	if (!content)
		return error_set(err, ERR_SPACE, "out of memory");
	hash_of(content, strlen(content), sum);
	sha256_to_hex(sum, hex);
	return 0;
}

static int write_digest(const struct server *s, int tree, const struct tree_digest *digest,
			struct error **err)
{
	_cleanup_close_ int fd = tree_open_beneath(tree, DIGEST, O_WRONLY | O_CREAT | O_EXCL, 0644);
	char text[DIGEST_TEXT_MAX], rule[2 * SHA256_LEN + 1];
	size_t length;

	if (hash_rule(s, rule, err) < 0 || print_digest(tree, digest, text, err) < 0)
		return -1;
	length = strlen(text);
	length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\n", rule);
	if (fd < 0 || fchown(fd, 0, 0) < 0 || write(fd, text, length) != (ssize_t)length)
		return error_errno(err, ERR_SYSTEM, "cannot write the base's digest");
	return 0;
}

static int check_digest(int base, const char *known, const struct tree_digest *digest,
			struct error **err)
{
	char text[DIGEST_TEXT_MAX];

	if (print_digest(base, digest, text, err) < 0)
		return -1;
	if (!known || strncmp(known, text, strlen(text)) != 0)
		return error_set(err, ERR_TRUST, "the base is damaged: its digest differs");
	return 0;
}

/* A clone is made of what the base was: of that the policy is asked as when it was unpacked. */
static int check_rule(const struct server *s, const char *known, struct error **err)
{
	const char *line = known ? strchr(known, '\n') : NULL;
	char rule[2 * SHA256_LEN + 1];

	if (hash_rule(s, rule, err) < 0)
		return -1;
	/* The third. */
	line = line ? strchr(line + 1, '\n') : NULL;
	if (!line || strncmp(line + 1, rule, strlen(rule)) != 0)
		return error_set(err, ERR_TRUST,
				 "the base was made when the policy allowed other things");
	return 0;
}

/* A base that another rootlet makes or removes at this moment is none. The folder must be the
 * caller's: nothing in a tree can be, as a jail does not know his id, and what is the range root's
 * in a folder of his was put there by rootlet. */
static int open_base(int folder, const char *name, struct error **err)
{
	_cleanup_close_ int base = tree_open_own(folder, name, O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (base < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_REFUSED,
				   "cannot open base %s", name);
	if (fstat(folder, &st) < 0 || st.st_uid != CALLER_ID)
		return error_set(err, ERR_REFUSED, "the folder of base %s is not yours", name);
	if (!is_sound_rootfs(base))
		return error_set(err, ERR_TRUST, "%s is no base of rootlet", name);
	if (flock(base, LOCK_SH | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "base %s is in use", name);
	return steal_fd(&base);
}

int handle_clone(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		 struct error **err)
{
	_cleanup_close_ int base = open_base(fds[1], t->clone.base, err);
	_cleanup_free_ char *known = NULL;
	struct tree_digest digest;
	enum clone_way way;
	size_t size;

	if (base < 0)
		return -1;
	known = tree_read_file(base, DIGEST, DIGEST_TEXT_MAX, &size);
	if (check_rule(s, known, err) < 0)
		return -1;
	if (staging_make(s, fds[0], t->clone.name, err) < 0 ||
	    clone_tree(s, base, s->tree, &way, &digest, err) < 0 ||
	    check_digest(base, known, &digest, err) < 0) {
		build_abandon(s);
		return -1;
	}
	s->phase = PHASE_BUILT;
	out->status = (int)way;
	return 0;
}

static int fill(const struct server *s, int base, int manifest, struct error **err)
{
	struct tree_digest digest;
	enum clone_way way;

	if (clone_tree(s, s->tree, base, &way, &digest, err) < 0 ||
	    manifest_place(base, manifest, err) < 0 || write_digest(s, base, &digest, err) < 0)
		return -1;
	if (fchmod(base, 0755) < 0 || syncfs(base) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write the base to disk");
	return 0;
}

/* Fills the base where the caller cannot look, and gives it its name last: his it never is. */
static int keep(struct server *s, int folder, const char *staging, const char *name, int manifest,
		struct error **err)
{
	_cleanup_close_ int base = -1, lock = -1;
	_cleanup_close_ int hidden = staging_open(folder, staging, &base, err);
	int r;

	if (hidden < 0)
		return -1;
	r = fill(s, base, manifest, err);
	if (r == 0)
		r = bounds_claim(s, folder, name, &lock, err);
	if (r == 0 && renameat2(hidden, "tree", folder, name, RENAME_NOREPLACE) < 0)
		r = error_errno(err, errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM,
				"cannot give the base its name");
	tree_remove(folder, staging, hidden, NULL);
	return r;
}

int handle_keep(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		struct error **err)
{
	char staging[ROOTFS_NAME_MAX + 32];

	(void)out;
	if (remove_stale(fds[0], STAGING_PREFIX, t->keep.name, err) < 0)
		return -1;
	snprintf(staging, sizeof(staging), "%s%s", STAGING_PREFIX, t->keep.name);
	return keep(s, fds[0], staging, t->keep.name, fds[1], err);
}

int handle_verify(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		  struct error **err)
{
	_cleanup_free_ char *known = NULL;
	struct tree_digest digest;
	size_t size;

	(void)t;
	(void)out;
	if (clone_digest(s, fds[0], &digest, err) < 0)
		return -1;
	known = tree_read_file(fds[0], DIGEST, DIGEST_TEXT_MAX, &size);
	return check_digest(fds[0], known, &digest, err);
}
