#include "frontend/rootfs/hand_over.h"

#include <fcntl.h>

#include "frontend/cli/interrupt.h"

int hand_over_open(const char *path, struct error **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	return fd;
}

static int hand_over_index(struct helper *h, const struct pocket *pocket,
			   const struct pocket_index *index, struct error **err)
{
	_cleanup_close_ int fd = hand_over_open(index->packages, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Index message = ROOTLET__INDEX__INIT;

	if (fd < 0)
		return -1;
	message.pocket = (char *)(uintptr_t)pocket->name;
	message.component = index->component;
	request.kind_case = ROOTLET__REQUEST__KIND_INDEX;
	request.index = &message;
	return helper_call(h, &request, &fd, 1, NULL, err);
}

static int hand_over_repository(struct helper *h, const struct package_set *set,
				const struct pocket *pocket, struct error **err)
{
	const struct repository *repository = &set->repositories[pocket->repository - 1];
	_cleanup_close_ int keyring = hand_over_open(repository->keyring, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Repository message = ROOTLET__REPOSITORY__INIT;

	if (keyring < 0)
		return -1;
	message.name = (char *)(uintptr_t)pocket->name;
	message.suite = repository->suite;
	message.mirror = pocket->place;
	message.older = pocket->older;
	request.kind_case = ROOTLET__REQUEST__KIND_REPOSITORY;
	request.repository = &message;
	return helper_call(h, &request, (int[]){ pocket->inrelease, keyring }, 2, NULL, err);
}

static int hand_over_release(struct helper *h, const struct package_set *set,
			     const struct pocket *pocket, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Release message = ROOTLET__RELEASE__INIT;

	message.pocket = (char *)(uintptr_t)pocket->name;
	message.mirror = pocket->place;
	message.older = pocket->older;
	message.dated = (uint32_t)set->dated;
	request.kind_case = ROOTLET__REQUEST__KIND_RELEASE;
	request.release = &message;
	return helper_call(h, &request, &pocket->inrelease, 1, NULL, err);
}

static int hand_over_pocket(struct helper *h, const struct package_set *set,
			    const struct pocket *pocket, struct error **err)
{
	if ((pocket->repository ? hand_over_repository(h, set, pocket, err)
				: hand_over_release(h, set, pocket, err)) < 0)
		return -1;
	for (size_t i = 0; i < pocket->index_count; i++)
		if (hand_over_index(h, pocket, &pocket->indexes[i], err) < 0)
			return -1;
	return 0;
}

struct handing {
	struct helper *helper;
	struct progress *progress;
};

static int hand_over_local(struct helper *h, const struct package *package, int fd,
			   struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__LocalPackage message = ROOTLET__LOCAL_PACKAGE__INIT;

	message.name = package->name;
	message.sha256.data = (uint8_t *)(uintptr_t)package->sha256;
	message.sha256.len = sizeof(package->sha256);
	request.kind_case = ROOTLET__REQUEST__KIND_LOCAL_PACKAGE;
	request.local_package = &message;
	return helper_call(h, &request, &fd, 1, NULL, err);
}

static int hand_over_package(const struct package *package, void *context, struct error **err)
{
	const struct handing *handing = context;
	_cleanup_close_ int fd = hand_over_open(package->path, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Package message = ROOTLET__PACKAGE__INIT;

	if (fd < 0)
		return -1;
	if (!package->pocket)
		return hand_over_local(handing->helper, package, fd, err);
	message.name = package->name;
	message.sha256.data = (uint8_t *)(uintptr_t)package->sha256;
	message.sha256.len = sizeof(package->sha256);
	request.kind_case = ROOTLET__REQUEST__KIND_PACKAGE;
	request.package = &message;
	return helper_call(handing->helper, &request, &fd, 1, NULL, err);
}

int hand_over(struct helper *h, struct fetch *fetch, struct progress *progress, struct error **err)
{
	const struct package_set *set = packages_set(fetch);
	struct handing handing = { h, progress };
	int r;

	progress_stage(progress, "Verifying signatures and indexes");
	for (size_t i = 0; i < set->pocket_count; i++)
		if (hand_over_pocket(h, set, &set->pockets[i], err) < 0)
			return -1;
	progress_stage(progress, "Downloading and unpacking packages");
	/* Otherwise a dead helper goes unnoticed until the next package has arrived. */
	interrupt_watch(helper_channel(h));
	r = packages_download(fetch, hand_over_package, &handing, err);
	interrupt_watch(-1);
	return r;
}
