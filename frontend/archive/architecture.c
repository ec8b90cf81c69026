#include "frontend/archive/architecture.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend/archive/source.h"
#include "frontend/cli/suggest.h"
#include "lib/cleanup.h"

#define BINFMT_DIR "/proc/sys/fs/binfmt_misc"

/* Architecture names of Debian and of qemu. */
static const struct {
	const char *arch, *qemu;
} architectures[] = {
	{ "amd64", "x86_64" },	    { "arm64", "aarch64" }, { "armel", "arm" },
	{ "armhf", "arm" },	    { "i386", "i386" },	    { "loong64", "loongarch64" },
	{ "mips64el", "mips64el" }, { "mipsel", "mipsel" }, { "ppc64el", "ppc64le" },
	{ "riscv64", "riscv64" },   { "s390x", "s390x" },
};

#define ARCHITECTURES (sizeof(architectures) / sizeof(*architectures))

static const char *qemu_of(const char *arch)
{
	for (size_t i = 0; i < ARCHITECTURES; i++)
		if (strcmp(architectures[i].arch, arch) == 0)
			return architectures[i].qemu;
	return NULL;
}

int architecture_check(const char *arch, struct error **err)
{
	const char *names[ARCHITECTURES], *hint;
	char known[256] = "";
	size_t length = 0;

	if (qemu_of(arch))
		return 0;
	for (size_t i = 0; i < ARCHITECTURES && length < sizeof(known); i++) {
		names[i] = architectures[i].arch;
		length += (size_t)snprintf(known + length, sizeof(known) - length, " %s", names[i]);
	}
	hint = suggest(arch, names, ARCHITECTURES);
	return error_set(err, ERR_INPUT, "unknown architecture \"%.80s\"; known are:%s%s%s", arch,
			 known, hint ? "; did you mean: " : "", hint ? hint : "");
}

/* Requires flag F: the kernel then holds the emulator open, so it need not be in the rootfs. */
static bool has_emulator(const char *qemu)
{
	_cleanup_fclose_ FILE *in = NULL;
	bool enabled = false, fixed = false;
	char path[96], line[256], flags[16];

	snprintf(path, sizeof(path), BINFMT_DIR "/qemu-%s", qemu);
	in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in)) {
		enabled = enabled || strcmp(line, "enabled\n") == 0;
		if (sscanf(line, "flags: %15s", flags) == 1)
			fixed = strchr(flags, 'F');
	}
	return enabled && fixed;
}

/* Whether the kernel of a NATIVE host can usually run programs of ARCH, through a second system
 * call table. The jail allows only the native table (policy/seccomp), and no emulator is registered
 * for the other one. */
static bool has_second_table(const char *native, const char *arch)
{
	static const struct {
		const char *native, *arch;
	} pairs[] = {
		{ "amd64", "i386" },
		{ "arm64", "armhf" },
		{ "arm64", "armel" },
		{ "mips64el", "mipsel" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (strcmp(pairs[i].native, native) == 0 && strcmp(pairs[i].arch, arch) == 0)
			return true;
	return false;
}

int architecture_runs(const char *arch, struct error **err)
{
	const char *native = source_native_arch(), *qemu = qemu_of(arch);

	if (strcmp(arch, native) == 0 || (qemu && has_emulator(qemu)))
		return 0;
	if (has_second_table(native, arch))
		return error_set(
			err, ERR_HOST,
			"cannot create a %s rootfs on this %s host: package scripts run in "
			"a jail that allows only the kernel's 64-bit system calls; "
			"use --arch %s, or a host with %s",
			arch, native, native, arch);
	return error_set(err, ERR_HOST,
			 "cannot create a %s rootfs on this %s host: the kernel has no emulator "
			 "for it that works in any root (" BINFMT_DIR
			 "/qemu-%s, enabled, with flag F); ask an administrator to run: apt "
			 "install qemu-user-static binfmt-support",
			 arch, native, qemu ? qemu : arch);
}
