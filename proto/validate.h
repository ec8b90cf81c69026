/* The shape of every field that crosses the channel. The front end calls these for friendly
 * messages; the helper calls the same ones again, and there they decide.
 * Each returns true where the value is well-formed, and never looks past its terminating NUL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32
#define ROOTFS_NAME_MAX 64
#define SUITE_MAX 48
#define MIRROR_MAX 300
#define PACKAGE_NAME_MAX 100
#define VERSION_MAX 200 /* of a package */
#define ACCOUNT_NAME_MAX 32
#define GROUPS_MAX 16
#define ID_MAX_IN_ROOTFS 65533 /* 65534 is nobody */
#define ARGV_BYTES_MAX 16384
#define ARGV_MAX 256
#define PACKAGES_MAX 4000
#define MANIFEST_MAX (1024 * 1024)
#define PATH_LENGTH_MAX 4096
#define FILTERS_MAX 32
#define FILTER_PATTERN_SIZE 128
#define FIND_MAX 32 /* paths at a time */
#define MODE_CLOSED 0700u
#define MODE_ENTERABLE 0755u

/* One path component: [A-Za-z0-9_.+-], not starting with "." or "-", at most ROOTFS_NAME_MAX. */
bool valid_rootfs_name(const char *s);

/* Suite, pocket, component, or architecture: [a-z0-9][a-z0-9.+-]*, at most SUITE_MAX. */
bool valid_archive_word(const char *s);

/* Debian Policy 5.6.1: [a-z0-9][a-z0-9+.-]+. */
bool valid_package_name(const char *s);

/* Debian Policy 5.6.12: [A-Za-z0-9.+~:-]+, at most VERSION_MAX. */
bool valid_package_version(const char *s);

/* One or more of these with "|" between them. */
bool valid_package_choice(const char *s);

/* User or group: [A-Za-z0-9_][A-Za-z0-9_.-]*, at most ACCOUNT_NAME_MAX, not all digits. */
bool valid_account_name(const char *s);

/* 1 to ID_MAX_IN_ROOTFS: neither root nor nobody can be asked for. */
bool valid_account_id(uint32_t id);

/* Absolute path inside the rootfs without "..", control characters, ":" or spaces. */
bool valid_inner_path(const char *s);

/* Absolute fnmatch(3) pattern of printable ASCII without blanks, shorter than FILTER_PATTERN_SIZE.
 */
bool valid_filter_pattern(const char *s);

/* One of the modes that a rootfs may be published with. */
bool valid_tree_mode(uint32_t mode);

/* 64 lower-case hexadecimal digits into 32 bytes; false where it is not that. */
bool sha256_from_hex(const char *hex, size_t length, uint8_t out[static SHA256_LEN]);
void sha256_to_hex(const uint8_t sum[static SHA256_LEN], char out[static 2 * SHA256_LEN + 1]);
