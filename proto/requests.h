/* One table with every request of rootlet.proto. The helper's dispatch, the checks of fields and
 * descriptors, the text of audit records, the policy words, the table in rootlet-protocol(7) and
 * the one in SECURITY.md are generated from it.
 *
 * To add a request, add a row and its fields here, a message in rootlet.proto, and a file in
 * helper/jailer/requests/ with its handler, handle_NAME. */
#pragma once

#include <linux/capability.h>

#include "proto/validate.h"

#define WHEN_IDLE 1u
#define WHEN_BUILDING 2u /* from Begin to Bootstrap */
#define WHEN_BUILT 4u	 /* from Bootstrap or Clone to Publish */
#define WHEN_ALWAYS (WHEN_IDLE | WHEN_BUILDING | WHEN_BUILT)

#define CAPS_NONE 0u
#define CAPS_LOOK (1u << CAP_DAC_OVERRIDE) /* to enter a closed rootfs */
#define CAPS_JAIL (1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SETFCAP) /* to map ids */
#define CAPS_VIEW (CAPS_LOOK | CAPS_JAIL)
#define CAPS_ALL (CAPS_VIEW | 1u << CAP_CHOWN | 1u << CAP_FOWNER)

#define MINUTE 60u
#define HOUR (60 * MINUTE)

/* REQUEST(NAME, Name, name, word, fds, when, seconds, caps), ordered by number in rootlet.proto
 *
 * word     policy word that allows it; NULL: needs no permission
 * fds      descriptors that it carries, one letter each:
 *            d  directory
 *            o  directory that need not be open for reading
 *            t  directory of a rootfs (d, o and t come first)
 *            f  regular file, open for reading
 *            w  empty regular file, open for reading and writing
 *            s  anything that a command can read or write, except a directory or a block device
 * when     phases of a build in which it is accepted
 * seconds  time limit; 0: none. A policy can set a lower one.
 * caps     the jailer's capabilities that the handler can use */
/* clang-format off */
#define REQUESTS(REQUEST) \
	REQUEST(HELLO,       Hello,      hello,       NULL,     "",     WHEN_IDLE,     0,           CAPS_NONE) \
	REQUEST(BEGIN,       Begin,      begin,       "create", "df",   WHEN_IDLE,     HOUR,        CAPS_ALL) \
	REQUEST(RELEASE,     Release,    release,     "create", "f",    WHEN_BUILDING, HOUR,        CAPS_ALL) \
	REQUEST(INDEX,       Index,      index,       "create", "f",    WHEN_BUILDING, HOUR,        CAPS_ALL) \
	REQUEST(PACKAGE,     Package,    package,     "create", "f",    WHEN_BUILDING, HOUR,        CAPS_ALL) \
	REQUEST(BOOTSTRAP,   Bootstrap,  bootstrap,   "create", "",     WHEN_BUILDING, 3 * HOUR,    CAPS_ALL) \
	REQUEST(ADD_GROUP,   AddGroup,   add_group,   "create", "",     WHEN_BUILT,    10 * MINUTE, CAPS_ALL) \
	REQUEST(ADD_USER,    AddUser,    add_user,    "create", "",     WHEN_BUILT,    10 * MINUTE, CAPS_ALL) \
	REQUEST(PUBLISH,     Publish,    publish,     "create", "f",    WHEN_BUILT,    HOUR,        CAPS_ALL) \
	REQUEST(INSPECT,     Inspect,    inspect,     "check",  "t",    WHEN_IDLE,     2 * HOUR,    CAPS_ALL) \
	REQUEST(REMOVE,      Remove,     remove,      "delete", "d",    WHEN_IDLE,     HOUR,        CAPS_ALL) \
	REQUEST(EXECUTE,     Execute,    execute,     "shell",  "tsss", WHEN_IDLE,     0,           CAPS_ALL) \
	REQUEST(OPEN_NAMESPACE, OpenNamespace, open_namespace, "run", "", WHEN_ALWAYS, 0, CAPS_NONE) \
	REQUEST(CLONE,       Clone,      clone,       "create", "dd",   WHEN_IDLE,     HOUR,        CAPS_ALL) \
	REQUEST(KEEP,        Keep,       keep,        "create", "df",   WHEN_BUILT,    HOUR,        CAPS_ALL) \
	REQUEST(VERIFY,      Verify,     verify,      "check",  "t",    WHEN_IDLE,     HOUR,        CAPS_VIEW) \
	REQUEST(BUILD_IMAGE, BuildImage, build_image, "run",    "tw",   WHEN_IDLE,     HOUR,        CAPS_VIEW) \
	REQUEST(OPEN,        Open,       open,        NULL,     "o",    WHEN_ALWAYS,   0,           CAPS_LOOK) \
	REQUEST(READ,        Read,       read,        NULL,     "t",    WHEN_ALWAYS,   0,           CAPS_LOOK) \
	REQUEST(FIND,        Find,       find,        NULL,     "t",    WHEN_ALWAYS,   0,           CAPS_LOOK) \
	REQUEST(CHECK_RELEASE, CheckRelease, check_release, NULL, "ff", WHEN_IDLE,     HOUR,        CAPS_VIEW) \
	REQUEST(CHANGE,      Change,     change,      "install", "df",  WHEN_IDLE,     HOUR,        CAPS_ALL) \
	REQUEST(LOCAL_PACKAGE, LocalPackage, local_package, "shell", "f", WHEN_BUILDING, HOUR,      CAPS_ALL) \
	REQUEST(REPOSITORY,  Repository, repository,  "create", "ff",   WHEN_BUILDING, HOUR,        CAPS_ALL) \
	REQUEST(EXTEND,      Extend,     extend,      "create", "ddf",  WHEN_IDLE,     HOUR,        CAPS_ALL)

/* The fields of each request, named as in rootlet.proto, in the order of an audit record. LABEL names
 * the field in an error message:
 * FIELD(request, TEXT, name, size including the NUL, validator, LABEL)
 * FIELD(request, NUMBER or MODE (printed in octal), name, , validator, LABEL)
 * FIELD(request, FLAG, name, , , )
 * FIELD(request, HASH, name, , , )
 * FIELD(request, WORDS (at least one), LIST (may be empty) or COMMAND (printed with blanks), name,
 *       maximum number of words, validator of each word, LABEL of a word) */
#define HELLO_FIELDS(FIELD) \
	FIELD(hello, NUMBER, version, , valid_any_number, "version") \
	FIELD(hello, TEXT, purpose, SUITE_MAX + 1, valid_archive_word, "purpose")
#define BEGIN_FIELDS(FIELD) \
	FIELD(begin, TEXT, name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "rootfs name") \
	FIELD(begin, TEXT, suite, SUITE_MAX + 1, valid_archive_word, "suite") \
	FIELD(begin, TEXT, arch, SUITE_MAX + 1, valid_archive_word, "architecture") \
	FIELD(begin, TEXT, engine, SUITE_MAX + 1, valid_engine, "engine") \
	FIELD(begin, LIST, filters, FILTERS_MAX, valid_filter, "filter") \
	FIELD(begin, NUMBER, epoch, , valid_any_number, "epoch")
#define RELEASE_FIELDS(FIELD) \
	FIELD(release, TEXT, pocket, SUITE_MAX + 1, valid_pocket, "pocket") \
	FIELD(release, TEXT, mirror, MIRROR_MAX + 1, valid_mirror, "mirror") \
	FIELD(release, FLAG, older, , , ) \
	FIELD(release, NUMBER, dated, , valid_any_number, "date of the archive")
#define INDEX_FIELDS(FIELD) \
	FIELD(index, TEXT, pocket, SUITE_MAX + 1, valid_list_place, "pocket") \
	FIELD(index, TEXT, component, SUITE_MAX + 1, valid_archive_word, "component")
#define PACKAGE_FIELDS(FIELD) \
	FIELD(package, TEXT, name, PACKAGE_NAME_MAX + 1, valid_package_name, "package name") \
	FIELD(package, HASH, sha256, , , )
#define BOOTSTRAP_FIELDS(FIELD)
#define ADD_GROUP_FIELDS(FIELD) \
	FIELD(add_group, TEXT, name, ACCOUNT_NAME_MAX + 1, valid_account_name, "group name") \
	FIELD(add_group, NUMBER, gid, , valid_account_id, "group id")
#define ADD_USER_FIELDS(FIELD) \
	FIELD(add_user, TEXT, name, ACCOUNT_NAME_MAX + 1, valid_account_name, "user name") \
	FIELD(add_user, NUMBER, uid, , valid_account_id, "user id") \
	FIELD(add_user, NUMBER, gid, , valid_account_id, "group id") \
	FIELD(add_user, TEXT, home, INNER_PATH_MAX + 1, valid_inner_path, "home directory") \
	FIELD(add_user, TEXT, shell, INNER_PATH_MAX + 1, valid_inner_path, "shell") \
	FIELD(add_user, LIST, groups, GROUPS_MAX, valid_account_name, "group name")
#define PUBLISH_FIELDS(FIELD) \
	FIELD(publish, FLAG, replace, , , ) \
	FIELD(publish, FLAG, keep_old, , , ) \
	FIELD(publish, MODE, mode, , valid_tree_mode, "mode")
#define INSPECT_FIELDS(FIELD) \
	FIELD(inspect, FLAG, deep, , , ) \
	FIELD(inspect, FLAG, digest, , , )
#define REMOVE_FIELDS(FIELD) \
	FIELD(remove, TEXT, name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "rootfs name") \
	FIELD(remove, FLAG, stale, , , )
#define EXECUTE_FIELDS(FIELD) \
	FIELD(execute, TEXT, user, ACCOUNT_NAME_MAX + 1, valid_user_or_root, "user name") \
	FIELD(execute, FLAG, terminal, , , ) \
	FIELD(execute, COMMAND, argv, ARGV_MAX, valid_argument, "argument")
#define OPEN_NAMESPACE_FIELDS(FIELD)
#define CLONE_FIELDS(FIELD) \
	FIELD(clone, TEXT, name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "rootfs name") \
	FIELD(clone, TEXT, base_name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "snapshot name") \
	FIELD(clone, NUMBER, epoch, , valid_any_number, "epoch")
#define KEEP_FIELDS(FIELD) \
	FIELD(keep, TEXT, name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "snapshot name")
#define VERIFY_FIELDS(FIELD)
#define BUILD_IMAGE_FIELDS(FIELD) \
	FIELD(build_image, TEXT, format, SUITE_MAX + 1, valid_image_format, "image format") \
	FIELD(build_image, NUMBER, epoch, , valid_any_number, "epoch")
#define OPEN_FIELDS(FIELD)
#define READ_FIELDS(FIELD) \
	FIELD(read, TEXT, file, SUITE_MAX + 1, valid_archive_word, "file name")
#define FIND_FIELDS(FIELD) \
	FIELD(find, WORDS, paths, FIND_MAX, valid_inner_path, "path")
#define CHECK_RELEASE_FIELDS(FIELD) \
	FIELD(check_release, TEXT, suite, SUITE_MAX + 1, valid_archive_word, "suite") \
	FIELD(check_release, TEXT, pocket, SUITE_MAX + 1, valid_pocket, "pocket") \
	FIELD(check_release, TEXT, mirror, MIRROR_MAX + 1, valid_mirror, "mirror") \
	FIELD(check_release, FLAG, older, , , ) \
	FIELD(check_release, NUMBER, dated, , valid_any_number, "date of the archive") \
	FIELD(check_release, FLAG, repository, , , )
#define CHANGE_FIELDS(FIELD) \
	FIELD(change, TEXT, name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "rootfs name") \
	FIELD(change, TEXT, suite, SUITE_MAX + 1, valid_archive_word, "suite") \
	FIELD(change, TEXT, arch, SUITE_MAX + 1, valid_archive_word, "architecture") \
	FIELD(change, LIST, removed, REMOVED_MAX, valid_package_name, "package name")
#define LOCAL_PACKAGE_FIELDS(FIELD) \
	FIELD(local_package, TEXT, name, PACKAGE_NAME_MAX + 1, valid_package_name, "package name") \
	FIELD(local_package, HASH, sha256, , , )
#define REPOSITORY_FIELDS(FIELD) \
	FIELD(repository, TEXT, name, SUITE_MAX + 1, valid_repository, "repository") \
	FIELD(repository, TEXT, suite, SUITE_MAX + 1, valid_archive_word, "suite") \
	FIELD(repository, TEXT, mirror, MIRROR_MAX + 1, valid_mirror, "mirror") \
	FIELD(repository, FLAG, older, , , )
#define EXTEND_FIELDS(FIELD) \
	FIELD(extend, TEXT, name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "rootfs name") \
	FIELD(extend, TEXT, base_name, ROOTFS_NAME_MAX + 1, valid_rootfs_name, "snapshot name") \
	FIELD(extend, TEXT, suite, SUITE_MAX + 1, valid_archive_word, "suite") \
	FIELD(extend, TEXT, arch, SUITE_MAX + 1, valid_archive_word, "architecture")
/* clang-format on */
