/* rootlet-userns: makes the user namespace of a VM, in which the caller is root and nobody else
 * exists, and hands it over on descriptor 3. Linked statically, so that an AppArmor profile can let
 * it make one, and not rootlet, into which its caller can load code: see SECURITY.md. */
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
