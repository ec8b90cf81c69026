#include "helper/jailer/jail_command.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/beneath.h"
#include "lib/hash.h"
#include "proto/task.h"
#include "proto/tree_facts.h"

/* As on a real host: scripts ask for the host name, some for one with a dot in it. A guest needs
 * these files as well. */
#define NAMES                                                                                      \
	"[ -s /etc/hostname ] || echo rootlet >/etc/hostname\n"                                    \
	"[ -s /etc/hosts ] || printf '127.0.0.1 localhost\\n"                                      \
	"127.0.1.1 rootlet.localdomain rootlet\\n"                                                 \
	"::1 localhost ip6-localhost ip6-loopback\\n' >/etc/hosts\n"

#define NATIVE "sh -e /var/lib/dpkg/rootlet/_plan\n"

/* debootstrap disables start-stop-daemon(8), which is not enough: invoke-rc.d(8) asks policy-rc.d.
 * With the native engine, the plan writes that file. */
#define DEBOOTSTRAP                                                                                \
	"printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\n"                                \
	"chmod 755 /usr/sbin/policy-rc.d\n"                                                        \
	"/debootstrap/debootstrap --second-stage || {\n"                                           \
	"  log=/debootstrap/debootstrap.log\n"                                                     \
	"  [ -e $log ] || log=/var/log/bootstrap.log\n"                                            \
	"  grep -m 1 'No space left' $log || :\n"                                                  \
	"  tail -n 1000 $log; exit 1; }\n"                                                         \
	"rm -rf /usr/sbin/policy-rc.d /debootstrap /var/cache/apt/archives/*.deb "                 \
	"/var/lib/apt/lists/*_*\n"

/* Removes the mirror from sources.list. */
#define FINISH "echo '# made by rootlet from verified packages' >/etc/apt/sources.list\n"

/* Every guest gets an id and a random seed of its own. A reproducible tree has nothing else either
 * that is random or records when or where it was made. */
#define CLEAN                                                                                      \
	"[ ! -s /etc/machine-id ] || : >/etc/machine-id\n"                                         \
	"[ -h /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id\n"                      \
	"rm -f /var/lib/systemd/random-seed /var/lib/urandom/random-seed "                         \
	"/var/lib/systemd/credential.secret\n"                                                     \
	"[ \"$SOURCE_DATE_EPOCH\" ] || exit 0\n"                                                   \
	"find /var/log -type f -size +0 -exec truncate -s 0 {} +\n"                                \
	"rm -rf /var/cache/ldconfig/aux-cache /var/cache/apt/*.bin /var/cache/debconf/*-old "      \
	"/var/lib/dpkg/*-old /var/lib/systemd/catalog/database /etc/ssh/ssh_host_* "               \
	"/etc/nvme/hostid /etc/nvme/hostnqn\n"

/* dpkg prints nothing if all is well. "c" marks a configuration file, which may well differ. Files
 * left out by path-exclude count as missing ("missing"; before dpkg 1.20, "??5??????"): the script
 * removes those lines. */
#define DPKG                                                                                       \
	"set +e\n"                                                                                 \
	"dpkg --audit\n"                                                                           \
	"rules=$(sed -n -e 's|^path-exclude=\\(.*\\)|case $path in (\\1) out=1;; esac|p' \\\n"     \
	"  -e 's|^path-include=\\(.*\\)|case $path in (\\1) out=0;; esac|p' \\\n"                  \
	"  /etc/dpkg/dpkg.cfg.d/rootlet 2>/dev/null)\n"                                            \
	"dpkg --verify | grep -v '^.\\{9\\} c /' | while IFS= read -r line; do\n"                  \
	"  out=0 path=/${line#*/}\n"                                                               \
	"  [ -e \"$path\" ] || [ -L \"$path\" ] || eval \"$rules\"\n"                              \
	"  [ $out = 1 ] || printf '%s\\n' \"$line\"\n"                                             \
	"done\n"

static const char *const scripts[] = {
	[SCRIPT_CHANGE] = NATIVE CLEAN,
	[SCRIPT_NATIVE] = NAMES NATIVE FINISH CLEAN,
	[SCRIPT_DEBOOTSTRAP] = NAMES DEBOOTSTRAP FINISH CLEAN,
	[SCRIPT_DPKG] = DPKG,
};

static void command_add(struct jail_command *c, const char *word)
{
	c->argv[c->argc++] = word;
}

static void command_add_many(struct jail_command *c, const char *const *words)
{
	for (; *words; words++)
		command_add(c, *words);
}

/* --- groups and users --- */

static const char *command_number(struct jail_command *c, int which, uint64_t number)
{
	snprintf(c->text[which], sizeof(c->text[which]), "%" PRIu64, number);
	return c->text[which];
}

static void command_add_group(struct jail_command *c, const struct task *t)
{
	command_add_many(c, (const char *const[]){ "groupadd", "-g",
						   command_number(c, 0, t->add_group.gid), "--",
						   t->add_group.name, NULL });
}

/* useradd(8) locks the password ("!") unless it is given one. */
static void command_add_user(struct jail_command *c, const struct task *t)
{
	const char *uid = command_number(c, 0, t->add_user.uid);
	const char *gid = command_number(c, 1, t->add_user.gid);
	size_t used = 0;

	command_add_many(c, (const char *const[]){ "useradd", "-u", uid, "-g", gid, "-d",
						   t->add_user.home, "-s", t->add_user.shell, "-m",
						   NULL });
	for (const char *group = NULL; (group = words_next(&t->add_user.groups, group));)
		used += (size_t)snprintf(c->groups + used, sizeof(c->groups) - used, "%s%s",
					 used ? "," : "", group);
	if (used)
		command_add_many(c, (const char *const[]){ "-G", c->groups, NULL });
	command_add_many(c, (const char *const[]){ "--", t->add_user.name, NULL });
}

/* --- images --- */

#define IMAGE_FD 3
#define IMAGE "/proc/self/fd/3" /* how the program reopens it */
#define DIRECTORY "/staging"
/* Runs the script $5. */
#define IMAGE_SCRIPT                                                                               \
	"command -v $3 >/dev/null || { echo \"$3 is missing; run: apt install $4\"; exit 127; }\n" \
	"eval \"$5\"\n"

/* The arguments of a reproducible image: its UUID, and how many files the tree has. The programs
 * take SOURCE_DATE_EPOCH as the time at which they run, and as the latest time of a file. */
static const struct image_format {
	const char *name, *program, *package, *script;
} formats[] = {
	/* Extended inodes have their own modification times, and ids of more than 16 bits. */
	{ "erofs", "mkfs.erofs", "erofs-utils",
	  "mkfs.erofs --quiet -Eforce-inode-extended ${1:+-U $1} " IMAGE " /staging" },
	/* Older versions of mke2fs copy the times at which a file was read and changed. */
	{ "ext4", "mke2fs", "e2fsprogs",
	  "export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH\n"
	  "mke2fs -q -F -t ext4 -O ^has_journal -m 0 -i 4096 -d /staging ${1:+-U $1} "
	  "-E root_owner=0:0${1:+,hash_seed=$1} " IMAGE "\n"
	  "[ $1 ] || exit 0\n"
	  "for i in 2 $(seq 11 $((11 + $2))); do\n"
	  "  echo sif \"<$i>\" atime @$SOURCE_DATE_EPOCH\n"
	  "  echo sif \"<$i>\" ctime @$SOURCE_DATE_EPOCH\n"
	  "done | debugfs -w -f - " IMAGE " >/dev/null 2>&1\n" },
	/* For `rootlet publish`, which makes an archive of its own from it. */
	{ "tar", "tar", "tar",
	  "tar --create --file=" IMAGE " --directory=/staging --sort=name --format=pax "
	  "--numeric-owner --xattrs --xattrs-include=\\* ." },
	/* Not compressed: an emulated guest then reads it at no cost. */
	{ "squashfs", "mksquashfs", "squashfs-tools",
	  "mksquashfs /staging " IMAGE
	  " -noappend -no-progress -quiet -noI -noD -noF -noX >/dev/null" },
	{ NULL, NULL, NULL, NULL },
};

/* Of version 8, RFC 9562: the same for every image of a rootfs. */
static int make_uuid(char *uuid, size_t room)
{
	_cleanup_close_ int tree = open(DIRECTORY, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *manifest = NULL;
	uint8_t sum[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	size_t size;

	manifest = tree_read_file(tree, OWN_MANIFEST, MANIFEST_MAX, &size);
	if (!manifest) {
		dprintf(2, "cannot read the manifest: %s\n", strerror(errno));
		return -1;
	}
	hash_of(manifest, size, sum);
	sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x80);
	sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
	sha256_to_hex(sum, hex);
	snprintf(uuid, room, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
	return 0;
}

/* For mke2fs: room for the content, an inode for each file (it makes one of 256 bytes per 4096
 * bytes) and its share of a directory block, and some reserve. Unused space is a hole. */
static int set_image_size(const struct tree_census *census)
{
	uint64_t size =
		census->content + census->content / 5 + census->files * 4096 + (UINT64_C(32) << 20);

	if (ftruncate(IMAGE_FD, (off_t)size) == 0)
		return 0;
	dprintf(2, "cannot make an image of %" PRIu64 " bytes: %s\n", size, strerror(errno));
	return -1;
}

static int command_image(struct jail_command *c, const struct jail_spec *spec)
{
	const struct image_format *format = formats;
	const char *files = command_number(c, 0, spec->census.files);

	while (format->name && strcmp(format->name, spec->task->build_image.format) != 0)
		format++;
	if (!format->name)
		return -1;
	if (spec->census.files && set_image_size(&spec->census) < 0)
		return -1;
	if (spec->epoch && make_uuid(c->text[1], sizeof(c->text[1])) < 0)
		return -1;
	command_add_many(c, (const char *const[]){ "sh", "-ec", IMAGE_SCRIPT, "sh", c->text[1],
						   files, format->program, format->package,
						   format->script, NULL });
	return 0;
}

int jail_command_make(struct jail_command *c, const struct jail_spec *spec)
{
	const struct task *t = spec->task;

	switch (t ? t->operation : OP_NONE) {
	case OP_ADD_GROUP:
		command_add_group(c, t);
		break;
	case OP_ADD_USER:
		command_add_user(c, t);
		break;
	case OP_BUILD_IMAGE:
		return command_image(c, spec);
	case OP_EXECUTE:
		for (const char *word = NULL; (word = words_next(&t->execute.argv, word));)
			command_add(c, word);
		break;
	default:
		command_add_many(c,
				 (const char *const[]){ "sh", "-ec", scripts[spec->script], NULL });
	}
	return 0;
}
