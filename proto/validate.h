/* The form of every field that crosses the channel. The front end calls these for friendly
 * messages; the helper calls the same functions again, and there they decide. Each returns true if
 * the value is well-formed, and never looks past its terminating NUL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hex.h"
#include "lib/names.h"

#define MIRROR_MAX 300
#define PACKAGE_NAME_MAX 100
#define GROUPS_MAX 16
#define ID_MAX_IN_ROOTFS 65533 /* 65534 is nobody */
#define ARGV_MAX 256
#define WORDS_BYTES_MAX 16384 /* of a list in a request, including each word's NUL */
#define PACKAGES_MAX 4000
#define MANIFEST_MAX (2 * 1024 * 1024)
#define PATH_LENGTH_MAX 4096
#define FILTERS_MAX 32
#define REPOSITORIES_MAX 10
#define REPOSITORY_NAMES                                                                           \
	"repository-1", "repository-2", "repository-3", "repository-4", "repository-5",            \
		"repository-6", "repository-7", "repository-8", "repository-9", "repository-10"
#define REMOVED_MAX 500 /* packages that a change removes */
#define FILTER_PATTERN_SIZE 128
#define FIND_MAX 32 /* paths at a time */
#define INNER_PATH_MAX 255
#define MODE_CLOSED 0700u
#define MODE_ENTERABLE 0755u

/* Debian Policy 5.6.1: [a-z0-9][a-z0-9+.-]+. */
bool valid_package_name(const char *s);

/* 1 to ID_MAX_IN_ROOTFS: neither root nor nobody can be requested. */
bool valid_account_id(uint32_t id);

/* An absolute path inside the rootfs without "..", control characters, ":" or spaces. */
bool valid_inner_path(const char *s);

/* An absolute fnmatch(3) pattern of printable ASCII without blanks, shorter than
 * FILTER_PATTERN_SIZE. */
bool valid_filter_pattern(const char *s);

/* "-" or "+", then such a pattern. */
bool valid_filter(const char *s);

/* "", "updates" or "security". */
bool valid_pocket(const char *s);

/* "repository-1" to "repository-10", or also a pocket. */
bool valid_repository(const char *s);
bool valid_list_place(const char *s);

/* "", or an http, https or file URL in printable ASCII without blanks: it becomes part of a key. */
bool valid_mirror(const char *s);

/* "native", "debootstrap" or "pieces". */
bool valid_engine(const char *s);

/* "erofs", "ext4", "tar" or "squashfs". */
bool valid_image_format(const char *s);

/* valid_account_name(), or "root". */
bool valid_user_or_root(const char *s);

/* For fields whose limits are checked elsewhere: any number, any argument of a command. */
bool valid_any_number(uint32_t number);
bool valid_argument(const char *s);

/* Whether a rootfs may be published with this mode. */
bool valid_tree_mode(uint32_t mode);
