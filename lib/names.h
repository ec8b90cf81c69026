/* Names that may occur in root's policy and on the channel. Their characters are listed one by one,
 * because isalpha() and the like depend on the locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ROOTFS_NAME_MAX 64
#define PREVIOUS_SUFFIX ".previous" /* of the rootfs that an upgrade replaced */
#define SUITE_MAX 48
#define ACCOUNT_NAME_MAX 32

#define NAME_DIGITS "0123456789"
#define NAME_LOWER "abcdefghijklmnopqrstuvwxyz"
#define NAME_ALL NAME_LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" NAME_DIGITS

/* 1 to MOST bytes: the first is in FIRST, the others in FIRST or FURTHER. */
bool valid_name(const char *s, size_t most, const char *first, const char *further);

/* One path component: [A-Za-z0-9_.+-], not starting with "." or "-", at most ROOTFS_NAME_MAX. */
bool valid_rootfs_name(const char *s);

/* Suite, pocket, component, or architecture: [a-z0-9][a-z0-9.+-]*, at most SUITE_MAX. */
bool valid_archive_word(const char *s);

/* User or group: [A-Za-z0-9_][A-Za-z0-9_.-]*, at most ACCOUNT_NAME_MAX, not all digits. */
bool valid_account_name(const char *s);
