/* A library's object file has several functions. So besides the functions that the helper calls,
 * the linker takes others, which it does not call: capng_change_id() of libcap-ng, and those of
 * libnl that resolve addresses and protocols. They need the functions below. The C library's own
 * would bring in name services and, with them, the loading of libraries. */
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
