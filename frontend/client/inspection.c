#include "frontend/client/inspection.h"

#include <string.h>

int inspect_tree(struct helper *h, int tree, bool deep, struct answer *answer, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Inspect message = ROOTLET__INSPECT__INIT;

	message.deep = deep;
	request.kind_case = ROOTLET__REQUEST__KIND_INSPECT;
	request.inspect = &message;
	return helper_call(h, &request, &tree, 1, answer, err);
}

int inspect_digest(struct helper *h, int tree, uint8_t sum[static SHA256_LEN], struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Inspect message = ROOTLET__INSPECT__INIT;
	struct answer answer;

	message.digest = true;
	request.kind_case = ROOTLET__REQUEST__KIND_INSPECT;
	request.inspect = &message;
	if (helper_call(h, &request, &tree, 1, &answer, err) < 0)
		return -1;
	if (!answer.digested)
		return error_set(err, ERR_SYSTEM, "rootlet-helper sent no digest");
	memcpy(sum, answer.digest, SHA256_LEN);
	return 0;
}
