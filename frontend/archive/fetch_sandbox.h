/* The sandbox of the fetch process: Landlock, the system calls in policy/seccomp/fetch.list,
 * resource limits, no capabilities, and no environment except for proxies and certificates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define SANDBOX_WRITABLE_MAX 4
#define SANDBOX_READABLE_MAX 48
#define SANDBOX_PORTS_MAX 32

/* The caller owns the paths. */
struct fetch_sandbox {
	/* Directories in which files can be read, created, written, renamed and removed. */
	const char *writable[SANDBOX_WRITABLE_MAX];
	size_t writable_count;
	/* A directory in which directories can be created as well; NULL: none. */
	const char *tree;
	bool certificates; /* allow reading the system's, and those named in the environment */
	const char *readable[SANDBOX_READABLE_MAX];
	size_t readable_count;
	uint16_t ports[SANDBOX_PORTS_MAX]; /* TCP ports to connect to */
	size_t port_count;
};

/* Clears the environment, in memory too, except for variables for proxies and certificates. */
int fetch_sandbox_clear_environment(struct error **err);

/* Irreversible. Returns 0, or -1 with ERR set: ERR_HOST if the kernel lacks seccomp. */
int fetch_sandbox_enter(const struct fetch_sandbox *sandbox, struct error **err);
