#include "frontend/rootfs/publisher.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "frontend/rootfs/manifest_fields.h"
#include "frontend/rootfs/rootfs_record.h"
#include "lib/read_all.h"
#include "proto/validate.h"

#define KIND "publishers"
#define RECORD_MAX 8192

static bool is_absolute(const char *path)
{
	return *path == '/';
}

/* False if TEXT is damaged. */
static bool publisher_parse(const char *text, size_t size, struct publisher *p)
{
	_cleanup_(json_free) json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

	p->url = field_text(root, "url", NULL);
	p->name = field_text(root, "name", valid_archive_word);
	p->keyring = field_text(root, "keyring", is_absolute);
	p->pinned = json_is_true(json_object_get(root, "pinned"));
	return p->url && p->name && p->keyring;
}

int publisher_read(const char *parent, const char *base, struct publisher *p, struct error **err)
{
	_cleanup_free_ char *path = rootfs_record_path(KIND, parent, base, err), *text = NULL;
	_cleanup_close_ int fd =
		path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	size_t size = 0;

	*p = (struct publisher){ 0 };
	if (!path)
		return -1;
	text = fd < 0 ? NULL : read_all(fd, RECORD_MAX, &size);
	if (text && publisher_parse(text, size, p))
		return 0;
	return error_set(err, ERR_MISSING,
			 "it is not recorded here where %s/%s was published; record it with: "
			 "rootlet create --force --from URL --keyring FILE",
			 parent, base);
}

int publisher_write(const char *parent, const char *base, const struct publisher *p,
		    struct error **err)
{
	_cleanup_free_ char *path = rootfs_record_path(KIND, parent, base, err), *text = NULL;
	_cleanup_(json_free) json_t *root =
		json_pack("{s:s, s:s, s:s, s:b}", "url", p->url, "name", p->name, "keyring",
			  p->keyring, "pinned", p->pinned);

	text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	if (!path || !text)
		return path ? error_no_memory(err) : -1;
	/* The directory is closed to others: the URL may have a password. */
	if (dir_make_above(path) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create the directory of %s", path);
	return output_write(path, text, err);
}

void publisher_forget(const char *parent, const char *base)
{
	_cleanup_free_ char *path = rootfs_record_path(KIND, parent, base, NULL);

	if (path)
		unlink(path);
}

void publisher_clear(struct publisher *p)
{
	free(p->url);
	free(p->name);
	free(p->keyring);
	*p = (struct publisher){ 0 };
}
