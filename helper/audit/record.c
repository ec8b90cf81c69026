#include "helper/audit/record.h"
#include "lib/cleanup.h"

#include <sys/socket.h>

bool record_receive(int socket, struct record *r)
{
	if (RETRY_ON_EINTR(recv(socket, r, sizeof(*r), MSG_TRUNC)) != (ssize_t)sizeof(*r))
		return false;
	r->request[sizeof(r->request) - 1] = '\0';
	r->arguments[sizeof(r->arguments) - 1] = '\0';
	r->rule[sizeof(r->rule) - 1] = '\0';
	r->text[sizeof(r->text) - 1] = '\0';
	return true;
}
