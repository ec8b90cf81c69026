/* Snapshots: finished trees in the cache, to be cloned. A snapshot is a rootfs like any other,
 * named by the hash of everything that it was made from. Its /etc/rootlet/digest holds its digest,
 * the hash of its manifest, and the hash of what the policy said when it was made. The cache
 * belongs to the caller. So an installed helper recognizes its own snapshots by a MAC over these
 * three lines, under a key that the caller cannot read. */
#include "helper/jailer/requests/snapshots.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <nettle/memops.h>

#include "helper/jailer/bounds.h"
#include "helper/jailer/file_ids.h"
#include "helper/jailer/handlers.h"
#include "helper/jailer/rootfs.h"
#include "helper/jailer/staging.h"
#include "helper/jailer/tree_clone.h"
#include "helper/jailer/tree_tasks.h"
#include "helper/starter/root_files.h"
#include "lib/hash.h"
#include "lib/write_all.h"
#include "policy/rule_content.h"

#define DIGEST OWN_DIR "/digest"
#define DIGEST_TEXT_MAX 512
#define DIGEST_LINES 3

/* The MAC of LENGTH bytes of TEXT, for this range of ids. Empty in modes other than installed,
 * where everything belongs to the caller. The key stays in memory no longer than this call, because
 * this process forks a lot. */
static int make_mac(const struct server *s, const char *text, size_t length,
		    char hex[static 2 * SHA256_LEN + 1], struct error **err)
{
	const uint32_t ids[] = { s->map->first_uid, s->map->first_gid };
	uint8_t key[SNAPSHOT_KEY_BYTES], sum[SHA256_LEN];
	struct hmac_sha256_ctx mac;

	*hex = '\0';
	if (s->session->mode != MODE_INSTALLED)
		return 0;
	if (s->key < 0 || pread(s->key, key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return error_set(err, ERR_TRUST,
				 "rootlet-helper has no usable snapshot key " SNAPSHOT_KEY_PATH
				 "; ask an administrator to run install-helper again");
	hmac_sha256_set_key(&mac, sizeof(key), key);
	hmac_sha256_update(&mac, sizeof(ids), (const uint8_t *)ids);
	hmac_sha256_update(&mac, length, (const uint8_t *)text);
	hmac_sha256_digest(&mac, sizeof(sum), sum);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(&mac, sizeof(mac));
	sha256_to_hex(sum, hex);
	return 0;
}

/* The text after COUNT lines of TEXT, or NULL. */
static const char *skip_lines(const char *text, int count)
{
	while (text && count--)
		if ((text = strchr(text, '\n')))
			text++;
	return text;
}

static int check_mac(const struct server *s, const char *known, struct error **err)
{
	const char *text = known ? known : "", *mac = skip_lines(text, DIGEST_LINES);
	char hex[2 * SHA256_LEN + 1];

	if (make_mac(s, text, mac ? (size_t)(mac - text) : 0, hex, err) < 0)
		return -1;
	if (*hex && (!mac || strlen(mac) < strlen(hex) || !memeql_sec(mac, hex, strlen(hex))))
		return error_set(err, ERR_TRUST,
				 "the snapshot was not made by the rootlet-helper of this host, or "
				 "was changed: its MAC differs");
	return 0;
}

/* The lines that show whether a snapshot is intact. A clone's manifest is made from the snapshot's,
 * so that must be intact as well. */
static int print_digest(int base, const struct tree_digest *digest,
			char text[static DIGEST_TEXT_MAX], struct error **err)
{
	char tree_hex[2 * SHA256_LEN + 1], manifest_hex[2 * SHA256_LEN + 1];
	_cleanup_free_ char *manifest = NULL;
	uint8_t sum[SHA256_LEN];
	size_t size;

	manifest = tree_read_file(base, OWN_MANIFEST, MANIFEST_MAX, &size);
	if (!manifest)
		return error_errno(err, ERR_TRUST, "cannot read the snapshot's manifest");
	hash_of(manifest, size, sum);
	sha256_to_hex(sum, manifest_hex);
	sha256_to_hex(digest->sum, tree_hex);
	snprintf(text, DIGEST_TEXT_MAX, "%s %" PRIu64 "\n%s\n", tree_hex, digest->count,
		 manifest_hex);
	return 0;
}

static int write_digest(const struct server *s, int tree, const struct tree_digest *digest,
			struct error **err)
{
	char text[DIGEST_TEXT_MAX], rule[2 * SHA256_LEN + 1], mac[2 * SHA256_LEN + 1];
	_cleanup_close_ int fd = -1;
	size_t length;

	policy_rule_content(s->session->grant.rule, rule);
	if (print_digest(tree, digest, text, err) < 0)
		return -1;
	length = strlen(text);
	length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\n", rule);
	if (make_mac(s, text, length, mac, err) < 0)
		return -1;
	if (*mac)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\n", mac);
	fd = file_make(tree, DIGEST, 0644);
	if (fd < 0 || write_all(fd, text, length) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write the snapshot's digest");
	return 0;
}

static int check_digest(int base, const char *known, const struct tree_digest *digest,
			struct error **err)
{
	char text[DIGEST_TEXT_MAX];

	if (print_digest(base, digest, text, err) < 0)
		return -1;
	if (!known || strncmp(known, text, strlen(text)) != 0)
		return error_set(err, ERR_TRUST, "the snapshot is damaged: its digest differs");
	return 0;
}

/* A clone is made of what the snapshot was made of, so the policy must still say the same about
 * that. */
static int check_rule(const struct server *s, const char *known, struct error **err)
{
	const char *line = skip_lines(known, DIGEST_LINES - 1);
	char rule[2 * SHA256_LEN + 1];

	policy_rule_content(s->session->grant.rule, rule);
	if (!line || strncmp(line, rule, strlen(rule)) != 0)
		return error_set(err, ERR_TRUST,
				 "the policy has changed since the snapshot was made");
	return 0;
}

/* Opens and locks a snapshot. One that another rootlet makes or removes at this moment does not
 * count. The directory must be the caller's: none inside a tree can be, because a jail does not
 * know the caller's id. So whatever belongs to the range's root in there was put there by
 * rootlet. */
static int snapshot_open_base(int dir, const char *name, struct error **err)
{
	_cleanup_close_ int base = tree_open_own(dir, name, O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (base < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_REFUSED,
				   "cannot open snapshot %s", name);
	if (fstat(dir, &st) < 0 || st.st_uid != CALLER_ID)
		return error_set(err, ERR_REFUSED, "the directory of snapshot %s is not yours",
				 name);
	if (!is_sound_rootfs(base))
		return error_set(err, ERR_TRUST, "%s is not a snapshot made by rootlet", name);
	if (flock(base, LOCK_SH | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "snapshot %s is in use", name);
	return steal_fd(&base);
}

/* A snapshot that may be used: it is the helper's own, and the policy still says the same. */
struct snapshot {
	int directory, tree; /* DIRECTORY is locked */
	char *known;	     /* the text of its digest */
};
#define SNAPSHOT_NONE ((struct snapshot){ .directory = -1, .tree = -1 })

static void snapshot_close(struct snapshot *snapshot)
{
	closep(&snapshot->directory);
	closep(&snapshot->tree);
	free(snapshot->known);
}

static int snapshot_open(const struct server *s, int dir, const char *name,
			 struct snapshot *snapshot, struct error **err)
{
	size_t size;

	snapshot->directory = snapshot_open_base(dir, name, err);
	if (snapshot->directory < 0)
		return -1;
	snapshot->tree = rootfs_tree(snapshot->directory, NULL);
	if (snapshot->tree < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open snapshot %s", name);
	snapshot->known = tree_read_file(snapshot->tree, DIGEST, DIGEST_TEXT_MAX, &size);
	return check_mac(s, snapshot->known, err) < 0 ? -1 : check_rule(s, snapshot->known, err);
}

int handle_clone(struct server *s, struct request *request, struct error **err)
{
	_cleanup_(snapshot_close) struct snapshot from = SNAPSHOT_NONE;
	const struct task *t = request->task;
	struct tree_digest digest;
	enum clone_way way;

	if (snapshot_open(s, request->fds[1], t->clone.base_name, &from, err) < 0)
		return -1;
	s->epoch = t->clone.epoch;
	if (staging_make(s, request->fds[0], t->clone.name, err) < 0 ||
	    tree_clone(s, from.tree, s->tree, &way, &digest, err) < 0 ||
	    check_digest(from.tree, from.known, &digest, err) < 0) {
		staging_abandon(s);
		return -1;
	}
	s->phase = WHEN_BUILT;
	request->status = (int)way;
	return 0;
}

int snapshot_copy(struct server *s, int parent, int dir, const struct task *t, struct error **err)
{
	_cleanup_(snapshot_close) struct snapshot from = SNAPSHOT_NONE;
	struct tree_digest digest;

	if (snapshot_open(s, dir, t->extend.base_name, &from, err) < 0)
		return -1;
	s->epoch = 0;
	if (staging_make(s, parent, t->extend.name, err) == 0 &&
	    tree_copy(s, from.tree, s->tree, err) == 0 &&
	    tree_digest(s, s->tree, &digest, err) == 0 &&
	    check_digest(from.tree, from.known, &digest, err) == 0)
		return 0;
	staging_abandon(s);
	return -1;
}

static int snapshot_fill(const struct server *s, int base, int manifest, struct error **err)
{
	struct tree_digest digest;
	enum clone_way way;

	if (tree_clone(s, s->tree, base, &way, &digest, err) < 0 ||
	    manifest_place(base, manifest, err) < 0 || write_digest(s, base, &digest, err) < 0)
		return -1;
	if (fchmod(base, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot set the mode of the snapshot");
	return 0;
}

/* Fills the snapshot where the caller cannot look, and names it last. The caller never owns it. */
static int snapshot_keep(struct server *s, int dir, const char *staging, const char *name,
			 int manifest, struct error **err)
{
	_cleanup_close_ int base = -1, lock = -1;
	_cleanup_close_ int hidden = staging_open(s, dir, staging, &base, err);
	int r;

	if (hidden < 0)
		return -1;
	r = snapshot_fill(s, base, manifest, err);
	if (r == 0)
		r = staging_close(hidden, base, err);
	if (r == 0 && syncfs(base) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot write the snapshot to disk");
	if (r == 0)
		r = bounds_claim(s, dir, name, &lock, err);
	if (r == 0 && renameat2(hidden, STAGED_CLOSED, dir, name, RENAME_NOREPLACE) < 0)
		r = error_errno(err, errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM,
				"cannot give the snapshot its name");
	if (r == 0 && fsync(dir) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot write the snapshot's name to disk");
	tree_discard(s, dir, staging, hidden, NULL);
	return r;
}

int handle_keep(struct server *s, struct request *request, struct error **err)
{
	const struct task *t = request->task;
	char staging[ROOTFS_NAME_MAX + 32], mac[2 * SHA256_LEN + 1];

	/* It may have been made under another policy, and programs have run in it since. */
	if (s->old >= 0)
		return error_set(err, ERR_REFUSED,
				 "Keep refused: a changed rootfs cannot become a snapshot");
	/* Without a key, the snapshot could never be cloned. */
	if (make_mac(s, "", 0, mac, err) < 0 ||
	    remove_stale(s, request->fds[0], STAGING_PREFIX, t->keep.name, err) < 0)
		return -1;
	snprintf(staging, sizeof(staging), "%s%s", STAGING_PREFIX, t->keep.name);
	return snapshot_keep(s, request->fds[0], staging, t->keep.name, request->fds[1], err);
}

int handle_verify(struct server *s, struct request *request, struct error **err)
{
	_cleanup_free_ char *known = NULL;
	struct tree_digest digest;
	size_t size;

	known = tree_read_file(request->fds[0], DIGEST, DIGEST_TEXT_MAX, &size);
	if (check_mac(s, known, err) < 0 || tree_digest(s, request->fds[0], &digest, err) < 0)
		return -1;
	return check_digest(request->fds[0], known, &digest, err);
}
