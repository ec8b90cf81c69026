/* The rows that `run` and `fstests` share, and how to read them. */
#pragma once

#include "frontend/commands/commandline.h"
#include "frontend/rootfs/auto_upgrade.h"
#include "frontend/vm/guest_root.h"
#include "frontend/vm/vm_options.h"
#include "lib/error.h"

/* The commands' own begin at OPTION_VM_OWN. */
enum {
	OPTION_KERNEL = OPTION_OWN,
	OPTION_ROOT_TRANSPORT,
	OPTION_FORCE_9P,
	OPTION_UNSEALED,
	OPTION_MEMORY,
	OPTION_CPUS,
	OPTION_APPEND,
	OPTION_BOOT,
	OPTION_OVERLAY,
	OPTION_TIMEOUT,
	OPTION_BOOT_TIMEOUT,
	OPTION_AUTO_UPGRADE,
	OPTION_MAX_AGE,
	OPTION_GDB,
	OPTION_VM_OWN,
};

#define FORCE_9P_ROW                                                                               \
	{                                                                                          \
		"--force-9p", NULL, OPTION_FORCE_9P,                                               \
			"with dir: use 9p even if there is a virtiofsd"                            \
	}
#define CPUS_ROW                                                                                   \
	{                                                                                          \
		"--cpus", "N", OPTION_CPUS,                                                        \
			"CPUs of the guest (default: as many as the host has, at most 8)"          \
	}
#define OVERLAY_ROW                                                                                \
	{                                                                                          \
		"--overlay", "DIR", OPTION_OVERLAY,                                                \
			"put the files of DIR over the rootfs for this run, as make install "      \
			"DESTDIR=DIR left them; in the guest they belong to root; may be repeated" \
	}
#define BOOT_TIMEOUT_ROW                                                                           \
	{                                                                                          \
		"--boot-timeout", "S", OPTION_BOOT_TIMEOUT,                                        \
			"end a VM that has not booted after S seconds (default: 300 with KVM, "    \
			"1200 without; more on a slow host)"                                       \
	}
#define BOOT_ROW                                                                                   \
	{                                                                                          \
		"--boot", "auto|bzimage|elf", OPTION_BOOT,                                         \
			"how the VM starts the kernel. bzimage: it decompresses itself, and may "  \
			"randomize its addresses; elf: directly, which needs CONFIG_PVH; auto: "   \
			"elf without KVM, where that is faster, if the kernel can",                \
			.fallback = "auto"                                                         \
	}
#define AUTO_UPGRADE_ROWS                                                                          \
	{ "--auto-upgrade", "never|security|always", OPTION_AUTO_UPGRADE,                          \
	  "upgrade the rootfs first if it is older than --max-age. security: only to security "    \
	  "updates; always: all packages. If that fails, the run goes on with the rootfs as it "   \
	  "is",                                                                                    \
	  .fallback = "never" },                                                                   \
	{                                                                                          \
		"--max-age", "DAYS", OPTION_MAX_AGE,                                               \
			"how many days ago the rootfs may have been created or last upgraded; "    \
			"0: upgrade before every run",                                             \
			.fallback = "7"                                                            \
	}
#define APPEND_ROW                                                                                 \
	{                                                                                          \
		"--append", "WORDS", OPTION_APPEND,                                                \
			"words for the kernel command line; may be repeated"                       \
	}

#define GDB_ROW                                                                                    \
	{                                                                                          \
		"--gdb", NULL, OPTION_GDB,                                                         \
			"stop the guest before its first instruction, print the command that "     \
			"attaches gdb to it, and wait",                                            \
			.once = true                                                               \
	}

#define BOOT_SECONDS_MOST (24ul * 3600)

/* Sets *NUMBER if the option has a value or a default. ERR_INPUT if that is not from 1 to LIMIT. */
int line_number(const struct parsed_line *line, int code, unsigned long limit, unsigned int *number,
		struct error **err);

/* The values of --memory, --cpus, --append (joined; the caller frees it) and --root-transport. */
int line_memory(const struct parsed_line *line, const char **memory, struct error **err);
int line_cpus(const struct parsed_line *line, char out[static CPUS_TEXT], struct error **err);
int line_append(const struct parsed_line *line, char **append, struct error **err);
enum root_transport line_transport(const struct parsed_line *line);

/* Fills in WISH from --auto-upgrade, --max-age and the rows of the rootfs. */
int line_upgrade(const struct parsed_line *line, struct upgrade_wish *wish, struct error **err);

/* The values of --overlay, NULL-terminated. ERR_INPUT if there are more than VM_OVERLAYS_MAX. */
int line_overlays(const struct parsed_line *line, const char *list[static VM_OVERLAYS_MAX + 1],
		  struct error **err);
