/* helper/starter/idmap.c and jailer.c: the ids of the outer user namespace, refused ranges, and the
 * jailer's id for files. Only root can write such maps without a helper program. */
#include "helper/jailer/jailer.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/starter/idmap.h"
#include "lib/write_all.h"
#include "tap.h"

#define FIRST 3000000000u
#define CALLER 1234u
#define GROUP 1235u

static struct session session = { .grant.caller = { .uid = CALLER, .gid = GROUP, .name = "you" } };

/* Both maps without blanks, concatenated. */
static void read_maps(char text[static 512])
{
	static const char *const files[] = { "/proc/self/uid_map", "/proc/self/gid_map" };
	size_t used = 0;

	for (size_t i = 0; i < 2; i++) {
		FILE *file = fopen(files[i], "re");
		unsigned in, out, count;

		while (file && fscanf(file, "%u %u %u", &in, &out, &count) == 3)
			used += (size_t)snprintf(text + used, 512 - used, "%u %u %u;", in, out,
						 count);
		if (file)
			fclose(file);
	}
}

/* Returns the output of idmap_fork()'s child, which waits for its ids and then calls SAY. */
static void in_child(const struct idmap *map, void (*say)(int out), char text[static 512])
{
	int go[2], back[2];
	pid_t pid;
	ssize_t n;

	*text = '\0';
	if (pipe(go) < 0 || pipe(back) < 0)
		exit(1);
	pid = idmap_fork(NULL);
	if (pid == 0) {
		char byte;

		if (jailer_leave_host(NULL) == 0 && read(go[0], &byte, 1) == 1)
			say(back[1]);
		_exit(0);
	}
	close(back[1]);
	if (pid > 0 && idmap_write(&session, map, pid, NULL) == 0 && write_all(go[1], "", 1) == 0) {
		size_t used = 0;

		while (used < 511 && (n = read(back[0], text + used, 511 - used)) > 0)
			used += (size_t)n;
		text[used] = '\0';
	}
	close(go[1]);
	close(go[0]);
	close(back[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void say_maps(int out)
{
	char text[512] = "";

	read_maps(text);
	if (write(out, text, strlen(text)) < 0)
		_exit(1);
}

static void say_pid(int out)
{
	dprintf(out, "%d", getpid());
}

static void say_namespaces(int out)
{
	static const char *const kinds[] = { "net", "ipc", "uts", "user", "mnt" };

	for (size_t i = 0; i < 5; i++) {
		char path[32], link[64] = "";

		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		if (readlink(path, link, sizeof(link) - 1) > 0)
			dprintf(out, "%s ", link);
	}
}

/* All of its ids, the filesystem id last. */
static void say_ids(int out)
{
	uid_t real, effective, saved;
	gid_t group, effective_group, saved_group;

	if (jailer_act_for_caller(NULL) < 0 || getresuid(&real, &effective, &saved) < 0 ||
	    getresgid(&group, &effective_group, &saved_group) < 0)
		return;
	dprintf(out, "%u %u %u %u %u %u %d %d", real, effective, saved, group, effective_group,
		saved_group, setfsuid(-1), setfsgid(-1));
}

static void check_maps(void)
{
	const struct idmap map = { FIRST, FIRST + 100000 };
	char text[512], here[512] = "", wanted[512];
	int pipes[2];

	session.mode = MODE_ROOT;
	in_child(&map, say_maps, text);
	snprintf(wanted, sizeof(wanted), "0 %u 65535;65535 %u 1;0 %u 65535;65535 %u 1;", FIRST,
		 CALLER, FIRST + 100000, GROUP);
	tap_check(strcmp(text, wanted) == 0, "root's maps have the range and the caller: %s", text);
	in_child(&map, say_pid, text);
	tap_check(strcmp(text, "1") == 0, "the jailer is the first process there");
	in_child(&map, say_namespaces, text);
	if (pipe(pipes) == 0) {
		ssize_t n;

		say_namespaces(pipes[1]);
		n = read(pipes[0], here, sizeof(here) - 1);
		here[n > 0 ? n : 0] = '\0';
	}
	{
		char *rest = NULL, *word = strtok_r(text, " ", &rest);
		int others = 0;

		for (; word; word = strtok_r(NULL, " ", &rest))
			others += !strstr(here, word);
		tap_check(others == 4, "has its own network, IPC, UTS and user namespaces, but no "
				       "mount namespace");
	}
	session.mode = MODE_INSTALLED;
	in_child(&map, say_maps, text);
	snprintf(wanted, sizeof(wanted),
		 "0 %u 65535;65535 %u 1;65536 %u 1;0 %u 65535;65535 %u 1;65536 %u 1;", FIRST,
		 CALLER, FIRST + 65535, FIRST + 100000, GROUP, FIRST + 165535);
	tap_check(strcmp(text, wanted) == 0,
		  "an installed helper's maps also have the spare id: %s", text);
	in_child(&map, say_ids, text);
	tap_check(strcmp(text, "65536 65536 65536 65536 65536 65536 65535 65535") == 0,
		  "runs as the spare id, and as the caller for files: %s", text);
}

/* --- ownership of the range
 * ----------------------------------------------------------------------- */

/* Mounts TEXT over FILE for this process; NULL: an unreadable file. */
static bool cover(const char *file, const char *text)
{
	char path[] = "/tmp/rootlet-test-idmap.XXXXXX";
	bool good;
	int fd;

	if (!text)
		return mount("/proc/self/mem", file, NULL, MS_BIND, NULL) == 0;
	fd = mkstemp(path);
	good = fd >= 0 && write_all(fd, text, strlen(text)) == 0 && fchmod(fd, 0644) == 0 &&
	       mount(path, file, NULL, MS_BIND, NULL) == 0;
	close(fd);
	unlink(path);
	return good;
}

/* Runs installed mode in a child, because it changes user; returns its message. */
static void try_range(const char *users, const char *groups, char text[static 512])
{
	static struct policy_range range = { .user = "you", .first = FIRST };
	static struct policy_rule rule;
	static struct policy policy = { .path = "policy.conf", .ranges = &range };
	int ends[2];
	pid_t pid;
	ssize_t n;

	session.mode = MODE_INSTALLED;
	session.policy = &policy;
	session.grant.policy = &policy;
	session.grant.rule = &rule;
	if (pipe(ends) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		_cleanup_error_ struct error *err = NULL;
		struct idmap map;

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    !cover("/etc/subuid", users) || !cover("/etc/subgid", groups))
			_exit(1);
		if (idmap_open(&session, &map, &err) == 0)
			dprintf(ends[1], "%u %u as %u %u", map.first_uid, map.first_gid, getuid(),
				getgid());
		else
			dprintf(ends[1], "%s; as %u", err && err->message ? err->message : "?",
				getuid());
		_exit(0);
	}
	close(ends[1]);
	n = read(ends[0], text, 511);
	text[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	waitpid(pid, NULL, 0);
}

static void check_ranges(void)
{
	static const struct {
		const char *what, *users, *groups, *says;
	} rows[] = {
		{ "nobody has ids of the range", "other:100000:65536\n", "",
		  "3000000000 3000000000 as 3000065535 3000065535" },
		{ "others have the ids beside it",
		  "other:2999934464:65536\nmore:3000065536:65536\n", "", "3000000000 3000000000" },
		{ "another user has its first id", "other:2999934465:65536\n", "",
		  "overlaps that of other in /etc/subuid" },
		{ "another user has its last id", "other:3000065535:65536\n", "",
		  "overlaps that of other in /etc/subuid" },
		{ "the caller has some of it", "x\nyou:3000000100:1\n", "",
		  "overlaps that of you in /etc/subuid" },
		{ "another user has its group ids", "", "other:3000000000:65536\n",
		  "overlaps that of other in /etc/subgid" },
		{ "a file that cannot be read", NULL, "", "cannot read /etc/subuid" },
		{ "another user has all ids", "other:0:18446744073709551615\n", "",
		  "overlaps that of other" },
	};
	char text[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		try_range(rows[i].users, rows[i].groups, text);
		tap_check(strstr(text, rows[i].says), "%s: %s", rows[i].what, text);
		if (!strstr(rows[i].says, "3000000000 3000000000"))
			tap_check(strstr(text, "; as ") && !strstr(text, "; as 0"),
				  "a process without root makes the refusal");
	}
}

int main(void)
{
	_cleanup_error_ struct error *err = NULL;
	const struct idmap map = { FIRST, FIRST };

	alarm(50);
	if (geteuid() != 0) {
		printf("ok 1 - maps # SKIP needs root to write maps directly\n1..1\n");
		return 0;
	}
	if (access("/etc/subuid", F_OK) < 0 || access("/etc/subgid", F_OK) < 0) {
		printf("ok 1 - maps # SKIP there is no /etc/subuid to mount over\n1..1\n");
		return 0;
	}
	check_maps();
	check_ranges();
	session.mode = MODE_ROOT;
	tap_check(idmap_write(&session, &map, getpid(), &err) == -1 && err &&
			  err->code == ERR_HOST && strstr(err->message, "kernel refused the maps"),
		  "maps that the kernel rejects are an error");
	error_free(&err);
	tap_check(idmap_join(-1, &err) == -1 && err, "joining an invalid pid fails");
	return tap_done();
}
