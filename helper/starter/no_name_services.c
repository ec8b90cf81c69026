/* Libraries have several functions in one object: with those that the helper calls come others,
 * which it does not call, and which want these: capng_change_id() of libcap-ng, and libnl's that
 * turn names into addresses and protocols. The C library's would bring name services and, with
 * them, the loading of libraries. */
#include <errno.h>
#include <grp.h>
#include <netdb.h>
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

#ifdef HAVE_LIBNL
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **result)
{
	(void)name;
	(void)service;
	(void)hints;
	(void)result;
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

struct protoent *getprotobyname(const char *name)
{
	(void)name;
	return NULL;
}

struct protoent *getprotobynumber(int number)
{
	(void)number;
	return NULL;
}
#endif
