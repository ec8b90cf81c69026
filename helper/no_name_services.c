/* libcap-ng has all of its functions in one object: with those that the helper calls comes
 * capng_change_id(), which it does not call, and which wants these two. The C library's would bring
 * name services and, with them, the loading of libraries. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

int initgroups(const char *user, gid_t group)
{
	(void)user;
	(void)group;
	errno = ENOSYS;
	return -1;
}

struct passwd *getpwuid(uid_t uid)
{
	(void)uid;
	errno = ENOSYS;
	return NULL;
}
