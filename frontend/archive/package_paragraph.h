/* The fields of a paragraph of a Packages file that libsolv drops. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frontend/archive/package_words.h"
#include "lib/error.h"
#include "proto/validate.h"

struct paragraph {
	char name[PACKAGE_NAME_MAX + 1];
	uint8_t sha256[SHA256_LEN];
	uint64_t size; /* 0: missing or malformed */
	bool hashed, base;
	char source_version[VERSION_MAX + 1]; /* "": the package's own */
};

/* Calls VISIT for each paragraph of the Packages file PATH. */
int paragraph_each(const char *path,
		   void (*visit)(const struct paragraph *paragraph, void *context), void *context,
		   struct error **err);
