/* policy/accounts.c: users and groups from the host's files and name services. */
#include "policy/accounts.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/write_all.h"
#include "tap.h"

#define NO_UID "3999999999"

static int fail(void)
{
	return -1;
}

static void check_users(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct host_account user = { 0 };

	tap_check(accounts_find(ACCOUNTS_USERS, "0", fail, &user, &err) == 1 &&
			  strcmp(user.name, "root") == 0 && user.home[0] == '/',
		  "a user of /etc/passwd, without getent");
	tap_check(accounts_find(ACCOUNTS_USERS, NO_UID, NULL, &user, &err) == 0 && !err,
		  "an unknown user");
	tap_check(accounts_find(ACCOUNTS_USERS, NO_UID, fail, &user, &err) == -1 && err &&
			  err->code == ERR_HOST && strstr(err->message, "getent passwd 3999999999"),
		  "a user, if getent does not start");
}

static void check_groups(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct host_account group = { .id = 1 };

	tap_check(accounts_find(ACCOUNTS_GROUPS, "root", fail, &group, &err) == 1 && group.id == 0,
		  "a group of /etc/group, without getent");
	tap_check(accounts_find(ACCOUNTS_GROUPS, "rootlet-none", NULL, &group, &err) == 0 && !err,
		  "an unknown group");
	tap_check(accounts_find(ACCOUNTS_GROUPS, "--help", NULL, &group, &err) == 0 && !err,
		  "a group that looks like an option");
	tap_check(accounts_find(ACCOUNTS_GROUPS, "rootlet-none", fail, &group, &err) == -1 && err &&
			  err->code == ERR_HOST,
		  "a group, if getent does not start");
}

static char other[] = "/tmp/rootlet-test-accounts.XXXXXX";

/* Only getent sees the user in /etc/passwd, as if from a name service. */
static int know_more(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
			       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			       mount(other, "/etc/passwd", NULL, MS_BIND, NULL) == 0
		       ? 0
		       : -1;
}

static void check_service(void)
{
	static const char line[] = "far:x:3999999999:1::/home/far:/bin/sh\n";
	_cleanup_error_ struct error *err = NULL;
	struct host_account user = { 0 };
	int fd;

	if (geteuid() != 0) {
		tap_check(true, "a user that only getent knows # SKIP needs root to mount");
		return;
	}
	fd = mkstemp(other);
	tap_check(write_all(fd, line, strlen(line)) == 0 &&
			  accounts_find(ACCOUNTS_USERS, NO_UID, know_more, &user, &err) == 1 &&
			  strcmp(user.name, "far") == 0 && strcmp(user.home, "/home/far") == 0,
		  "a user that only getent knows: %s", err ? err->message : user.name);
	close(fd);
	unlink(other);
}

int main(void)
{
	check_users();
	check_service();
	check_groups();
	return tap_done();
}
