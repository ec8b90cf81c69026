#include "helper/loopback.h"

#ifdef HAVE_LIBNL
#include <net/if.h>
#include <netlink/route/link.h>

void loopback_up(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct rtnl_link *link = rtnl_link_alloc(), *change = rtnl_link_alloc();

	if (sock && link && change && nl_connect(sock, NETLINK_ROUTE) == 0) {
		rtnl_link_set_name(link, "lo");
		rtnl_link_set_flags(change, IFF_UP);
		rtnl_link_change(sock, link, change, 0);
	}
	rtnl_link_put(change);
	rtnl_link_put(link);
	nl_socket_free(sock);
}
#else
void loopback_up(void)
{
}
#endif
