/* The form of what the front end reads about packages, and never sends to the helper. */
#pragma once

#include "proto/validate.h"

#define VERSION_MAX 200 /* of a package */

/* Debian Policy 5.6.12: [A-Za-z0-9.+~:-]+, at most VERSION_MAX. */
bool valid_package_version(const char *s);

/* One or more of these, separated by "|". */
bool valid_package_choice(const char *s);
