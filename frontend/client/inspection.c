#include "frontend/client/inspection.h"

int inspect_tree(struct helper *h, int tree, bool deep, struct answer *answer, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Inspect message = ROOTLET__INSPECT__INIT;

	message.deep = deep;
	request.kind_case = ROOTLET__REQUEST__KIND_INSPECT;
	request.inspect = &message;
	return helper_call(h, &request, &tree, 1, answer, err);
}
