/* rootlet-userns: creates a VM's user namespace, in which the caller is root and no other user
 * exists, and sends it over descriptor 3. It is static, so that an AppArmor profile can let it, but
 * not rootlet, create one: callers can load code into rootlet. See SECURITY.md. */
#include <fcntl.h>

#include "frontend/vm/userns_make.h"
#include "proto/channel.h"

#define CHANNEL 3

static int userns_make_here(void)
{
	bool made;

	return userns_make(&made) < 0 ? -1 : open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
}

int main(void)
{
	_cleanup_close_ int fd = userns_make_here();
	int number = fd < 0 ? errno : 0;

	return packet_send(CHANNEL, &number, sizeof(number), &fd, fd < 0 ? 0 : 1, NULL) < 0;
}
