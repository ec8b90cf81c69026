#include "helper/jailer/audit_client.h"

#include "proto/channel.h"

int audit_lost(struct error **err)
{
	return error_set(err, ERR_SYSTEM, "rootlet-helper was killed: its audit process exited");
}

int audit_ask(int socket, const struct record *record, struct error **err)
{
	int fds[PACKET_FDS_MAX];
	char answer;
	size_t count;

	if (packet_send(socket, record, sizeof(*record), NULL, 0, NULL) < 0 ||
	    packet_receive(socket, &answer, 1, fds, &count, NULL) != 1)
		return audit_lost(err);
	if (answer)
		return error_set(err, ERR_HOST,
				 "%s refused: it cannot be recorded, and the policy has audit: "
				 "required = yes",
				 record->request);
	return 0;
}
