#include "frontend/client/view.h"

#include <fcntl.h>
#include <string.h>

#include "frontend/cli/tree.h"

#define TEXT_MOST (32 * 1024 * 1024)

int view_open(struct helper *h, int directory, int *rootfs, bool *closed, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Open message = ROOTLET__OPEN__INIT;
	struct answer answer;

	request.kind_case = ROOTLET__REQUEST__KIND_OPEN;
	request.open = &message;
	if (helper_call(h, &request, &directory, 1, &answer, err) < 0)
		return -1;
	if (answer.fd < 0)
		return error_set(err, ERR_SYSTEM, "rootlet-helper sent no rootfs");
	*rootfs = answer.fd;
	if (closed)
		*closed = answer.status != 0;
	return 0;
}

int view_open_at(struct helper *h, int parent, const char *name, int *rootfs, struct error **err)
{
	_cleanup_close_ int directory =
		openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (directory < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot open the rootfs %s", name);
	return view_open(h, directory, rootfs, NULL, err);
}

int view_copy(struct helper *h, int rootfs, const char *file, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Read message = ROOTLET__READ__INIT;
	struct answer answer;

	message.file = (char *)(uintptr_t)file;
	request.kind_case = ROOTLET__REQUEST__KIND_READ;
	request.read = &message;
	if (helper_call(h, &request, &rootfs, 1, &answer, err) < 0)
		return -1;
	return answer.fd < 0 ? error_set(err, ERR_SYSTEM, "rootlet-helper did not send %s", file)
			     : answer.fd;
}

char *view_read(struct helper *h, int rootfs, const char *file, size_t *size, struct error **err)
{
	_cleanup_close_ int copy = view_copy(h, rootfs, file, err);

	return copy < 0 ? NULL : descriptor_read(copy, file, TEXT_MOST, size, err);
}

/* COUNT is at most FIND_MAX. */
static int find_some(struct helper *h, int rootfs, char **paths, size_t count, char *kinds,
		     struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Find message = ROOTLET__FIND__INIT;
	struct answer answer;

	message.paths = paths;
	message.n_paths = count;
	request.kind_case = ROOTLET__REQUEST__KIND_FIND;
	request.find = &message;
	if (helper_call(h, &request, &rootfs, 1, &answer, err) < 0)
		return -1;
	if (strlen(answer.found) != count)
		return error_set(err, ERR_SYSTEM, "rootlet-helper replied for other paths");
	memcpy(kinds, answer.found, count);
	return 0;
}

int view_find(struct helper *h, int rootfs, const char *const *paths, size_t count, char *kinds,
	      struct error **err)
{
	char *asked[FIND_MAX], found[FIND_MAX];
	size_t places[FIND_MAX], n = 0;

	memset(kinds, '-', count);
	for (size_t i = 0; i < count; i++) {
		if (valid_inner_path(paths[i])) {
			asked[n] = (char *)(uintptr_t)paths[i];
			places[n++] = i;
		}
		if (n == 0 || (n < FIND_MAX && i + 1 < count))
			continue;
		if (find_some(h, rootfs, asked, n, found, err) < 0)
			return -1;
		while (n > 0) {
			n--;
			kinds[places[n]] = found[n];
		}
	}
	return 0;
}
