/* What the fetch process is left with: Landlock, the list of policy/seccomp/fetch.list, resource
 * limits, no capability, no environment but the proxies'. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define SANDBOX_WRITABLE_MAX 4
#define SANDBOX_READABLE_MAX 16
#define SANDBOX_PORTS_MAX 16

/* Paths stay the caller's. */
struct fetch_sandbox {
	/* Directories: files in them can be read, made, written, renamed and removed. */
	const char *writable[SANDBOX_WRITABLE_MAX];
	size_t writable_count;
	/* A directory in which directories can be made as well; NULL: none. */
	const char *tree;
	bool certificates; /* the system's, and those that the environment names, can be read */
	const char *readable[SANDBOX_READABLE_MAX];
	size_t readable_count;
	uint16_t ports[SANDBOX_PORTS_MAX]; /* of TCP, to connect to */
	size_t port_count;
};

/* Removes all of the environment but what names proxies and certificates, from memory as well. */
int fetch_sandbox_clear_environment(struct error **err);

/* For good. Returns 0, or -1 with ERR set: ERR_HOST if the kernel lacks seccomp. */
int fetch_sandbox_enter(const struct fetch_sandbox *sandbox, struct error **err);
