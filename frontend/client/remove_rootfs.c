#include "frontend/client/remove_rootfs.h"

int remove_rootfs(struct helper *h, int parent, const char *name, bool stale, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Remove message = ROOTLET__REMOVE__INIT;

	message.name = (char *)(uintptr_t)name;
	message.stale = stale;
	request.kind_case = ROOTLET__REQUEST__KIND_REMOVE;
	request.remove = &message;
	return helper_call(h, &request, &parent, 1, NULL, err);
}
