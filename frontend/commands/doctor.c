/* rootlet doctor: checks whether the host has what rootlet needs, and prints the command that fixes
 * each problem. */
#include "frontend/commands/commands.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/source.h"
#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "frontend/commands/doctor_ci.h"
#include "frontend/commands/doctor_kernel.h"
#include "frontend/commands/doctor_policy.h"
#include "frontend/rootfs/image_cache.h"
#include "frontend/rootfs/store.h"
#include "frontend/vm/kvm.h"
#include "frontend/vm/vng.h"
#include "frontend/vm/vng_places.h"

#define SPACE_NEEDED (2ull << 30)
#define SPACE_WISHED (6ull << 30)

enum { OPTION_CI = OPTION_OWN };

static const struct option_row doctor_rows[] = {
	{ "--ci", NULL, OPTION_CI,
	  "also print what to add to the configuration of the CI system that runs this",
	  .once = true },
	JSON_ROW(JSON_FINDINGS),
	{ NULL },
};

static void probe_program(struct finding *f, enum verdict without, const char *program,
			  const char *package, const char *why)
{
	_cleanup_free_ char *path = program_find(program);

	if (path)
		finding_set(f, VERDICT_OK, "", "%s", path);
	else
		finding_set_install(f, without, package, "%s is not installed%s%s", program,
				    *why ? "; " : "", why);
}

static void probe_signatures(struct finding *f)
{
	probe_program(f, VERDICT_MISSING, "gpgv", "gpgv", "it verifies the archive's signatures");
}

static void probe_debootstrap(struct finding *f)
{
	probe_program(f, VERDICT_WARNING, "debootstrap", "debootstrap",
		      "create --engine debootstrap needs it");
}

static void probe_vng(struct finding *f)
{
	probe_program(
		f, VERDICT_MISSING, "vng", "virtme-ng",
		"rootlet run needs it; on Debian 12, ./quickstart --deps-only installs that of "
		"Debian 13");
}

static void probe_qemu(struct finding *f)
{
	const struct vng_emulator qemu = vng_emulator_find();

	probe_program(f, VERDICT_MISSING, qemu.program, qemu.package, "rootlet run needs it");
}

static void probe_modules(struct finding *f)
{
	probe_program(f, VERDICT_MISSING, "depmod", "kmod", "rootlet run --kernel distro needs it");
}

static bool is_static(const char *path)
{
	_cleanup_fclose_ FILE *in = fopen(path, "re");
	static char data[4096];
	size_t size = in ? fread(data, 1, sizeof(data), in) : 0;

	/* A dynamically linked program names its interpreter near its start. */
	return size && !memmem(data, size, "ld-linux", strlen("ld-linux")) &&
	       !memmem(data, size, "ld-musl", strlen("ld-musl"));
}

static void probe_busybox(struct finding *f)
{
	_cleanup_free_ char *path = program_find("busybox");

	if (path && is_static(path))
		finding_set(f, VERDICT_OK, "", "%s", path);
	else
		finding_set_install(f, VERDICT_MISSING, "busybox-static",
				    "no static busybox is installed; vng needs one for kernels "
				    "that have 9p as a module, such as those of distributions");
}

static void probe_kvm(struct finding *f)
{
	char why[160];

	if (kvm_runs(why, sizeof(why)))
		finding_set(f, VERDICT_OK, "", "/dev/kvm runs a guest");
	else if (access("/dev/kvm", F_OK) == 0 && access("/dev/kvm", R_OK | W_OK) < 0)
		finding_set_join(f, VERDICT_WARNING, "kvm",
				 "%s; guests are emulated, which is slow", why);
	else
		finding_set(f, VERDICT_WARNING, "", "%s; guests are emulated, which is slow", why);
}

/* Any of these can make the images that guests boot from. */
static void probe_images(struct finding *f)
{
	bool squashfs = image_can_make("squashfs");

	if (image_can_make("erofs") && squashfs)
		finding_set(f, VERDICT_OK, "", "mkfs.erofs, mksquashfs");
	else if (image_can_make("erofs"))
		finding_set_install(
			f, VERDICT_WARNING, "squashfs-tools",
			"no mksquashfs: a kernel with neither erofs nor ext4, such as one "
			"configured by vng --kconfig, boots from the tree itself, which is "
			"slow");
	else if (squashfs || image_can_make("ext4"))
		finding_set_install(f, VERDICT_WARNING, "erofs-utils",
				    "no mkfs.erofs: images are ext4 or squashfs");
	else
		finding_set_install(f, VERDICT_MISSING, "erofs-utils",
				    "no mkfs.erofs, mke2fs or mksquashfs");
}

static void probe_virtiofsd(struct finding *f)
{
	if (vng_has_virtiofsd())
		finding_set(f, VERDICT_OK, "", "installed: --root-transport dir uses it");
	else
		finding_set(f, VERDICT_OK, "",
			    "not installed, and not needed: --root-transport dir uses 9p");
}

/* The free space for PATH, which need not exist yet. */
static bool free_space(const char *path, uint64_t *bytes)
{
	_cleanup_free_ char *dir = strdup(path);
	struct statvfs st;

	while (dir && *dir) {
		char *slash = strrchr(dir, '/');

		if (statvfs(dir, &st) == 0) {
			*bytes = (uint64_t)st.f_bavail * st.f_frsize;
			return true;
		}
		if (!slash)
			break;
		*slash = '\0';
	}
	return false;
}

static void probe_space_in(struct finding *f, const char *dir)
{
	uint64_t bytes = 0;
	char size[TEXT_SIZE_LEN];

	if (!dir || !free_space(dir, &bytes)) {
		finding_set(f, VERDICT_MISSING, "set HOME", "the directory is unknown");
		return;
	}
	text_size(bytes, size);
	if (bytes >= SPACE_WISHED)
		finding_set(f, VERDICT_OK, "", "%s free for %s", size, dir);
	else
		finding_set(f, bytes < SPACE_NEEDED ? VERDICT_MISSING : VERDICT_WARNING,
			    "make room: a rootfs with its packages takes about 2G",
			    "%s free for %s", size, dir);
}

static void probe_store_space(struct finding *f)
{
	_cleanup_free_ char *dir = store_dir(NULL);

	probe_space_in(f, dir);
}

static void probe_cache_space(struct finding *f)
{
	_cleanup_free_ char *dir = cache_path("packages", NULL);

	probe_space_in(f, dir);
}

/* The releases of a distribution need only its own keyring. */
static void probe_keyrings(struct finding *f)
{
	bool ubuntu = access("/usr/share/keyrings/ubuntu-archive-keyring.gpg", R_OK) == 0;
	bool debian = access("/usr/share/keyrings/debian-archive-keyring.gpg", R_OK) == 0;

	if (ubuntu && debian)
		finding_set(f, VERDICT_OK, "", "Ubuntu's and Debian's in /usr/share/keyrings");
	else if (debian)
		finding_set_install(f, VERDICT_WARNING, "ubuntu-keyring",
				    "only Debian's; Ubuntu's releases need --keyring");
	else if (ubuntu)
		finding_set_install(f, VERDICT_WARNING, "debian-archive-keyring",
				    "only Ubuntu's; Debian's releases need --keyring");
	else
		finding_set_install(f, VERDICT_MISSING, "ubuntu-keyring debian-archive-keyring",
				    "neither Ubuntu's nor Debian's in /usr/share/keyrings");
}

static const struct {
	const char *what;
	void (*probe)(struct finding *f);
} probes[] = {
	{ "rootlet-helper", probe_helper },
	{ "policy", probe_policy },
	{ "sub-id ranges", probe_subids },
	{ "libsubid", probe_libsubid },
	{ "newuidmap, newgidmap", probe_idmap_programs },
	{ "user namespaces", probe_namespaces },
	{ "seal of VMs", probe_seal },
	{ "kernel", probe_kernel },
	{ "Landlock", probe_landlock },
	{ "downloads", probe_downloads },
	{ "signatures", probe_signatures },
	{ "keyrings", probe_keyrings },
	{ "debootstrap", probe_debootstrap },
	{ "vng", probe_vng },
	{ "qemu", probe_qemu },
	{ "static busybox", probe_busybox },
	{ "depmod", probe_modules },
	{ "KVM", probe_kvm },
	{ "root images", probe_images },
	{ "virtiofsd", probe_virtiofsd },
	{ "space for rootfs", probe_store_space },
	{ "space for packages", probe_cache_space },
};

#define PROBES (sizeof(probes) / sizeof(*probes))

static const char *const verdicts[] = { "ok", "warning", "missing" };

static void print_finding(const char *what, const struct finding *f)
{
	static const enum style styles[] = { STYLE_GOOD, STYLE_WARNING, STYLE_BAD };

	style_print(stdout, styles[f->verdict], "%-8s", verdicts[f->verdict]);
	style_print(stdout, STYLE_PLAIN, " %-21s %s\n", what, f->detail);
	if (f->verdict != VERDICT_OK && *f->fix)
		style_print(stdout, STYLE_PLAIN, "%-8s %-21s   fix: %s\n", "", "", f->fix);
}

static json_t *describe_finding(const char *what, const struct finding *f)
{
	bool mend = f->verdict != VERDICT_OK && *f->fix;

	return json_pack("{s:s, s:s, s:o, s:o}", "what", what, "verdict", verdicts[f->verdict],
			 "detail", json_text(f->detail), "fix", json_text(mend ? f->fix : NULL));
}

static void print_summary(const unsigned counts[static 3])
{
	printf("\n%u ok, %u warning%s, %u missing\n", counts[VERDICT_OK], counts[VERDICT_WARNING],
	       counts[VERDICT_WARNING] == 1 ? "" : "s", counts[VERDICT_MISSING]);
}

static int command_doctor(const struct parsed_line *line)
{
	struct finding findings[PROBES] = { 0 };
	const char *names[PROBES];
	unsigned counts[3] = { 0 };
	json_t *checks = json_array(), *ci = NULL;
	bool json = line_has(line, OPTION_JSON);

	for (size_t i = 0; i < PROBES; i++) {
		struct finding *f = &findings[i];

		probes[i].probe(f);
		names[i] = probes[i].what;
		counts[f->verdict]++;
		if (json)
			json_array_append_new(checks, describe_finding(names[i], f));
		else
			print_finding(names[i], f);
	}
	if (line_has(line, OPTION_CI))
		ci = ci_describe(names, findings, PROBES);
	if (json)
		document_print(json_pack("{s:i, s:i, s:i, s:O, s:O*}", "ok", counts[VERDICT_OK],
					 "warnings", counts[VERDICT_WARNING], "missing",
					 counts[VERDICT_MISSING], "checks", checks, "ci", ci));
	else
		print_summary(counts);
	if (ci && !json)
		ci_print(ci);
	json_decref(ci);
	json_decref(checks);
	return counts[VERDICT_MISSING] ? EXIT_FAILED : EXIT_OK;
}

const struct command doctor_command = {
	.name = "doctor",
	.summary = "report what this host has and lacks",
	.about = "Checks whether this host has what rootlet needs. Prints ok, warning (something "
		 "is slower or less complete) or missing for each item, and the command that fixes "
		 "it. Changes nothing.",
	.statuses = "0 the host has all that is needed; 1 something is missing; 2 wrong command "
		    "line.",
	.rows = doctor_rows,
	.run = command_doctor,
};
