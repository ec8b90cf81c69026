#include "helper/jailer/mount_parts.h"

#include <fcntl.h>

#include "lib/beneath.h"

int mount_restrict(int mount, uint64_t attributes, unsigned flags)
{
	struct mount_attr attr = { .attr_set = attributes };

	return mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr));
}

int mount_new(const char *type, const char *mode, unsigned attributes, struct error **err)
{
	_cleanup_close_ int context = fsopen(type, FSOPEN_CLOEXEC);
	int fd = -1;

	if (context >= 0 &&
	    (!mode || fsconfig(context, FSCONFIG_SET_STRING, "mode", mode, 0) == 0) &&
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
	if (fd < 0)
		return error_errno(
			err, ERR_HOST,
			"cannot mount a new %s in the jail; in a container that masks parts of "
			"/proc, the kernel forbids it: run the container with an unmasked /proc",
			type);
	return fd;
}

int mount_attach(int mount, int root, const char *name, bool dir, struct error **err)
{
	_cleanup_close_ int target = -1;

	if (dir)
		mkdirat(root, name, 0755);
	else
		closep(&(int){ openat(root, name, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0666) });
	target = tree_open_beneath(root, name, O_PATH | O_NOFOLLOW | (dir ? O_DIRECTORY : 0), 0);
	if (target < 0 || move_mount(mount, "", target, "",
				     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot mount /%s in the jail", name);
	return 0;
}
