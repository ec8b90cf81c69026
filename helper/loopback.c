#include "helper/loopback.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "proto/cleanup.h"

#define LOOPBACK 1 /* the first interface of every network namespace */

/* One message of rtnetlink(7), answered before sendto(2) returns. */
void loopback_up(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg change;
	} message = {
		.header = { .nlmsg_len = sizeof(message),
			    .nlmsg_type = RTM_NEWLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.change = { .ifi_index = LOOPBACK, .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t ignored = fd < 0 ? -1 : send(fd, &message, sizeof(message), 0);

	(void)ignored;
}
