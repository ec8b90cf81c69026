/* policy/accounts.c: users and groups of the host's files and of its name services. */
#include "policy/accounts.h"

#include <string.h>

#include "tap.h"

#define NO_UID 3999999999u

static int fail(void)
{
	return -1;
}

static void check_users(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct host_user user = { 0 };

	tap_check(accounts_find_user(0, fail, &user, &err) == 1 && strcmp(user.name, "root") == 0 &&
			  user.home[0] == '/',
		  "a user of /etc/passwd, without getent");
	tap_check(accounts_find_user(NO_UID, NULL, &user, &err) == 0 && !err,
		  "a user whom nobody knows");
	tap_check(accounts_find_user(NO_UID, fail, &user, &err) == -1 && err &&
			  err->code == ERR_HOST && strstr(err->message, "getent passwd 3999999999"),
		  "a user, and getent does not start");
}

static void check_groups(void)
{
	_cleanup_error_ struct error *err = NULL;
	gid_t gid = 1;

	tap_check(accounts_find_group("root", fail, &gid, &err) == 1 && gid == 0,
		  "a group of /etc/group, without getent");
	tap_check(accounts_find_group("rootlet-none", NULL, &gid, &err) == 0 && !err,
		  "a group that nobody knows");
	tap_check(accounts_find_group("--help", NULL, &gid, &err) == 0 && !err,
		  "a group that looks like an option");
	tap_check(accounts_find_group("rootlet-none", fail, &gid, &err) == -1 && err &&
			  err->code == ERR_HOST,
		  "a group, and getent does not start");
}

int main(void)
{
	check_users();
	check_groups();
	return tap_done();
}
