#include "helper/jailer/loopback.h"

#ifdef HAVE_LIBNL
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>

#define LOOPBACK 1 /* the first interface of every network namespace */

/* Sends a single message of rtnetlink(7). libnl-route, which libnl has for that, would take as long
 * to load as everything else. */
void loopback_up(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct ifinfomsg change = {
		.ifi_index = LOOPBACK,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};

	if (sock && nl_connect(sock, NETLINK_ROUTE) == 0 &&
	    nl_send_simple(sock, RTM_NEWLINK, NLM_F_ACK, &change, sizeof(change)) >= 0)
		nl_wait_for_ack(sock);
	nl_socket_free(sock);
}
#else
void loopback_up(void)
{
}
#endif
