/* frontend/fstests/configuration*.c: files of the catalogue, the sections made of them, what they
 * exclude. */
#include "frontend/fstests/configuration_catalogue.h"
#include "frontend/fstests/configuration_needs.h"
#include "frontend/fstests/configuration_text.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

static void wrong_files(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "[4k]\nmkfs\n", "neither [section] nor key = value" },
		{ "[4k]\n", "a section without a key" },
		{ "[4K]\nmkfs = -b 1\n", "[4K] is not a valid name" },
		{ "[a-b]\nmkfs = -b 1\n", "[a-b] is not a valid name" },
		{ "[4k]\nmkfs = -b 1\n[1k]\nmkfs = -b 2\n[4k]\nmkfs = -b 3\n",
		  "a second section [4k]" },
		{ "[4k]\nmkfs = -b 1\n[filesystem]\ntype = xfs\n",
		  "[filesystem] must be the first section" },
		{ "[4k]\nmkfsoptions = -b 1\n", "unknown key \"mkfsoptions\"" },
		{ "[4k]\nmkfs = $(reboot)\n", "is not valid here" },
		{ "[4k]\nmkfs = \"-b 1\"\n", "is not valid here" },
		{ "[4k]\nmkfs = a;b\n", "is not valid here" },
		{ "[4k]\nmount = -o acl\n", "is not a list of mount options" },
		{ "[4k]\ntype = ../ext4\n", "is not valid here" },
		{ "[4k]\nset = FSX_AVOID\n", "is not NAME=VALUE" },
		{ "[4k]\nset = PATH`x`=1\n", "is not NAME=VALUE" },
		{ "[4k]\nkernel = CONFIG_EXT4_FS\n", "is not a valid kernel option" },
		{ "[4k]\ntools = /bin/sh\n", "is not a valid command" },
		{ "[4k]\npackages = ../x\n", "is not a valid package name" },
		{ "[4k]\nsince = 6\n", "must be a version such as 6.12" },
		{ "[4k]\nsince = 6.1.2\n", "must be a version such as 6.12" },
		{ "[4k]\nexternal = pool\n", "must be log or realtime" },
		{ "[4k]\nexclude = generic/001\n", "must be TEST" },
		{ "[4k]\nexclude = 001: x\n", "is not the name of a test" },
		{ "[4k]\nexclude = kernel=6.1: x\n", "must be TEST" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(configurations_clear) struct configurations c = { 0 };
		_cleanup_error_ struct error *err = NULL;

		tap_check(configurations_parse(&c, "ext4", "x.conf", rows[i].text, true, &err) <
					  0 &&
				  err->code == ERR_INPUT &&
				  strncmp(err->message, "x.conf:", 7) == 0 &&
				  strstr(err->message, rows[i].message),
			  "wrong file: %s", rows[i].message);
	}
}

/* [filesystem] begins every section: mkfs is replaced, everything else is added. */
static void shared_values(void)
{
	static const char text[] =
		"[filesystem]\nmount = acl\nkernel = EXT4_FS\nmkfs = -q\nexclude = generic/001: a: "
		"b\n"
		"[one]\nmount = noatime\nkernel = QUOTA\nmkfs = -b 1024\n"
		"exclude = generic/002 generic/003 kernel=<6.1: c\n\tgeneric/004: d\n"
		"[two]\ndescription = nothing else\n";
	_cleanup_(configurations_clear) struct configurations c = { 0 };
	const struct test_configuration *one, *two;

	if (configurations_parse(&c, "ext4", "x.conf", text, false, NULL) < 0 || c.count != 2) {
		tap_check(false, "a file with two configurations");
		return;
	}
	one = &c.list[0];
	two = &c.list[1];
	tap_check(tap_same(one->mount, "acl,noatime") && tap_same(two->mount, "acl"),
		  "mount options are added to those of [filesystem]");
	tap_check(tap_same(one->mkfs, "-b 1024") && tap_same(two->mkfs, "-q"),
		  "mkfs options replace those of [filesystem]");
	tap_check(tap_same(one->kernel[0], "EXT4_FS") && tap_same(one->kernel[1], "QUOTA") &&
			  !two->kernel[1],
		  "kernel options are added");
	tap_check(tap_same(one->fstype, "ext4"), "the type is the file's name if none is given");
	tap_check(tap_same(one->excludes[0], "generic/001: a: b") &&
			  tap_same(one->excludes[1], "generic/002 kernel=<6.1: c") &&
			  tap_same(one->excludes[2], "generic/003 kernel=<6.1: c") &&
			  tap_same(one->excludes[3], "generic/004: d") && !one->excludes[4],
		  "an entry for each excluded test, with its conditions and its reason");
}

static void sections(void)
{
	static const char words[] = "ext4/1k,xfs/realtime_logdev,overlay/xfs,nfs/v4,tmpfs/default,"
				    "btrfs/raid1,ext4/bigalloc";
	static const char expected[] =
		"[ext4_1k]\nFSTYP=ext4\nMKFS_OPTIONS=\"-b 1024\"\n"
		"MOUNT_OPTIONS=\"-o acl,user_xattr\"\nTEST_FS_MOUNT_OPTS=\"-o acl,user_xattr\"\n"
		"ROOTLET_TOOLS=\"mkfs.ext4 e2fsck resize2fs\"\n\n"
		"[xfs_realtime_logdev]\nFSTYP=xfs\nUSE_EXTERNAL=yes\nSCRATCH_DEV_POOL=\n"
		"SCRATCH_DEV=$ROOTLET_SCRATCH1\nTEST_LOGDEV=$ROOTLET_SCRATCH2\n"
		"SCRATCH_LOGDEV=$ROOTLET_SCRATCH3\nTEST_RTDEV=$ROOTLET_SCRATCH4\n"
		"SCRATCH_RTDEV=$ROOTLET_SCRATCH5\n"
		"MKFS_OPTIONS=\"-d rtinherit=1 -m reflink=0,rmapbt=0 -l size=128m\"\n"
		"ROOTLET_TOOLS=\"mkfs.xfs xfs_repair xfs_db xfs_io\"\n\n"
		"[overlay_xfs]\nFSTYP=overlay\nOVL_BASE_FSTYP=xfs\nROOTLET_TOOLS=\"mkfs.xfs\"\n\n"
		"[nfs_v4]\nFSTYP=nfs\nROOTLET_SERVED=ext4\nTEST_DEV=127.0.0.1:/test\n"
		"SCRATCH_DEV=127.0.0.1:/scratch\nSCRATCH_DEV_POOL=\nLOGWRITES_DEV=\n"
		"MOUNT_OPTIONS=\"-o vers=4.2\"\nTEST_FS_MOUNT_OPTS=\"-o vers=4.2\"\n"
		"ROOTLET_TOOLS=\"mount.nfs exportfs rpc.nfsd rpc.mountd rpcbind mkfs.ext4\"\n\n"
		"[tmpfs_default]\nFSTYP=tmpfs\nTEST_DEV=tmpfs_test\nSCRATCH_DEV=tmpfs_scratch\n"
		"SCRATCH_DEV_POOL=\nLOGWRITES_DEV=\nMOUNT_OPTIONS=\"-o size=1G\"\n"
		"TEST_FS_MOUNT_OPTS=\"-o size=1G\"\n\n"
		"[btrfs_raid1]\nFSTYP=btrfs\nBTRFS_PROFILE_CONFIGS=raid1:raid1\n"
		"ROOTLET_TOOLS=\"mkfs.btrfs btrfs\"\n\n"
		"[ext4_bigalloc]\nFSTYP=ext4\nMKFS_OPTIONS=\"-b 4096 -O bigalloc\"\n"
		"MOUNT_OPTIONS=\"-o acl,user_xattr\"\nTEST_FS_MOUNT_OPTS=\"-o acl,user_xattr\"\n"
		"FSX_AVOID=\"-C -I\"\nFSSTRESS_AVOID=\"-f collapse=0 -f insert=0\"\n"
		"ROOTLET_TOOLS=\"mkfs.ext4 e2fsck resize2fs\"\n\n";
	_cleanup_(configurations_clear) struct configurations c = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *types = NULL;
	bool good = catalogue_choose(words, &c, NULL) == 0;

	tap_check(good && c.count == 7, "configurations of the catalogue, in the order given");
	if (!good)
		return;
	text = configurations_compose(&c);
	tap_check(tap_same(text, expected), "the sections for fstests");
	if (!tap_same(text, expected))
		fputs(text, stderr);
	types = configurations_types(&c);
	tap_check(tap_same(types, "ext4 xfs overlay xfs nfs ext4 tmpfs btrfs ext4"),
		  "the filesystems that they test, and those below");
	tap_check(configurations_devices(&c) == 7, "a log and a realtime device need seven disks");
}

static void choices(void)
{
	static const struct {
		const char *words, *message; /* NULL: good */
	} rows[] = {
		{ "ext4/4k", NULL },
		{ "ext4", NULL },
		{ "ext4/4k, xfs/4k", NULL },
		{ "ext4/4l", "no configuration \"ext4/4l\"; did you mean: ext4/4k" },
		{ "etx4/quota", "did you mean: ext4/quota" },
		{ "ext4/4k,ext4/4k", "ext4/4k is named twice" },
		{ "ext4,ext4/4k", "ext4/4k is named twice" },
		{ "", "give FS/NAME" },
		{ ",", "give FS/NAME" },
		{ "../ext4/4k", "no configuration" },
		{ "ext4/", "no configuration \"ext4/\"" },
		{ "/4k", "no configuration \"/4k\"" },
		{ "ext4/4k/x", "no configuration" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(configurations_clear) struct configurations c = { 0 };
		_cleanup_error_ struct error *err = NULL;
		int r = catalogue_choose(rows[i].words, &c, &err);

		tap_check(rows[i].message ? r < 0 && err->code == ERR_INPUT &&
						    strstr(err->message, rows[i].message)
					  : r == 0,
			  "\"%s\": %s", rows[i].words, rows[i].message ? rows[i].message : "good");
	}
}

static void versions(void)
{
	static const struct {
		const char *version;
		bool old; /* for a configuration since 6.12 */
	} rows[] = {
		{ "6.11.9", true },    { "6.12.0-rc1", false }, { "6.2", true },
		{ "7.0", false },      { "5.19-custom", true }, { NULL, false },
		{ "nonsense", false },
	};
	const struct test_configuration c = { .since = 6012 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct kernel kernel = { .version = (char *)(uintptr_t)rows[i].version };

		tap_check(kernel_is_too_old(&kernel, &c) == rows[i].old, "Linux %s is %s",
			  rows[i].version ? rows[i].version : "of an unknown version",
			  rows[i].old ? "too old" : "not too old");
	}
}

int main(void)
{
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	wrong_files();
	shared_values();
	sections();
	choices();
	versions();
	return tap_done();
}
