/* rootlet kconfig: kernel options that guests and configurations need. */
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/cli/word_list.h"
#include "frontend/commands/commands.h"
#include "frontend/fstests/configuration_catalogue.h"
#include "frontend/fstests/configuration_needs.h"

enum { OPTION_CONFIGURATION = OPTION_OWN, OPTION_CHECK };

static const struct option_row kconfig_rows[] = {
	{ "--configuration", "FS/NAME…", OPTION_CONFIGURATION,
	  "also print what these configurations need, separated by commas (-c is the same)" },
	{ "-c", "FS/NAME…", OPTION_CONFIGURATION, NULL },
	{ "--check", "KERNEL", OPTION_CHECK,
	  "print only the options that this bzImage or kernel build directory lacks",
	  .once = true },
	JSON_ROW("print a JSON object"),
	{ NULL },
};

/* What the guest's scripts, vng and fstests itself need. */
static const struct {
	const char *option, *why;
} guest_options[] = {
	{ "64BIT", "the guest" },
	{ "PCI", "the guest" },
	{ "TTY", "the guest" },
	{ "SERIAL_8250_CONSOLE", "the console" },
	{ "BINFMT_SCRIPT", "the guest" },
	{ "BLK_DEV_INITRD", "the boot root" },
	{ "DEVTMPFS", "the guest" },
	{ "TMPFS", "the guest" },
	{ "TMPFS_XATTR", "the guest" },
	{ "UNIX", "the guest" },
	{ "INET", "the guest" },
	{ "CGROUPS", "the guest" },
	{ "VIRTIO_PCI", "disks and shares" },
	{ "VIRTIO_BLK", "disks" },
	{ "VIRTIO_CONSOLE", "the command's output" },
	{ "NET_9P_VIRTIO", "shares" },
	{ "9P_FS", "shares" },
	{ "OVERLAY_FS", "the layer over the root" },
	{ "EROFS_FS|EXT4_FS", "the root image" },
	{ "PVH", "a quick start without KVM" },
	{ "BLK_DEV_LOOP", "tests that make images" },
	{ "BLK_DEV_DM", "tests that make a disk fail" },
	{ "DM_FLAKEY", "tests that make a disk fail" },
	{ "DM_LOG_WRITES", "tests that replay writes" },
	{ "DM_SNAPSHOT", "tests that take snapshots of a disk" },
	{ "DM_THIN_PROVISIONING", "tests on thin volumes" },
	{ "DM_DELAY", "tests on slow disks" },
	{ "QUOTA", "tests of quota" },
	{ "QFMT_V2", "tests of quota" },
	{ "KEYS", "tests of encryption" },
};

#define GUEST_OPTIONS (sizeof(guest_options) / sizeof(*guest_options))

/* An option, and what needs it. */
struct kernel_wish {
	const char *option;
	char *why;
	char has; /* 'y', 'm' or 'n'; 0: not asked for */
};

struct kconfig {
	struct kernel_wish *list;
	size_t count;
	bool check, json;
};

static void kconfig_clear(struct kconfig *k)
{
	for (size_t i = 0; i < k->count; i++)
		free(k->list[i].why);
	free(k->list);
}

static int add_wish(struct kconfig *k, const char *option, const char *why, struct error **err)
{
	struct kernel_wish *added;

	for (size_t i = 0; i < k->count; i++) {
		_cleanup_free_ char *old = NULL;

		if (strcmp(k->list[i].option, option) != 0)
			continue;
		old = k->list[i].why;
		if (asprintf(&k->list[i].why, "%s, %s", old, why) >= 0)
			return 0;
		k->list[i].why = NULL;
		return error_no_memory(err);
	}
	added = array_grow(&k->list, k->count, sizeof(*added));
	if (!added)
		return error_no_memory(err);
	k->count++;
	added->option = option;
	added->why = strdup(why);
	return added->why ? 0 : error_no_memory(err);
}

static int list_wishes(struct kconfig *k, const struct configurations *c, struct error **err)
{
	char name[CONFIGURATION_SIZE];

	for (size_t i = 0; i < GUEST_OPTIONS; i++)
		if (add_wish(k, guest_options[i].option, guest_options[i].why, err) < 0)
			return -1;
	for (size_t i = 0; i < c->count; i++) {
		configuration_title(&c->list[i], name);
		for (char **option = c->list[i].kernel; option && *option; option++)
			if (add_wish(k, *option, name, err) < 0)
				return -1;
	}
	return 0;
}

static int check_kernel(struct kconfig *k, const char *path, struct error **err)
{
	_cleanup_(kernel_free) struct kernel *kernel = NULL;
	_cleanup_(kernel_features_free) struct kernel_features *features = NULL;

	if (kernel_open(path, &kernel, err) < 0)
		return -1;
	features = kernel_features_read(kernel);
	if (!kernel_config(features))
		return error_set(
			err, ERR_MISSING,
			"the configuration of the kernel %s is neither beside it nor in it "
			"(CONFIG_IKCONFIG)",
			kernel->image);
	for (size_t i = 0; i < k->count; i++)
		k->list[i].has = kernel_has_option(features, k->list[i].option);
	return 0;
}

static bool wish_is_shown(const struct kconfig *k, const struct kernel_wish *w)
{
	return !k->check || w->has == 'n';
}

/* Of "A|B", A. The form is that of scripts/kconfig/merge_config.sh. */
static void print_options(const struct kconfig *k)
{
	for (size_t i = 0; i < k->count; i++)
		if (wish_is_shown(k, &k->list[i]))
			printf("# %s\nCONFIG_%.*s=y\n", k->list[i].why,
			       (int)strcspn(k->list[i].option, "|"), k->list[i].option);
}

static json_t *kconfig_describe(const struct kconfig *k)
{
	json_t *array = json_array();

	for (size_t i = 0; i < k->count; i++) {
		const struct kernel_wish *w = &k->list[i];
		json_t *row = json_pack(
			"{s:o, s:o}", "option",
			json_sprintf("CONFIG_%.*s", (int)strcspn(w->option, "|"), w->option), "for",
			json_text(w->why));

		if (k->check)
			json_object_set_new(row, "has", json_stringn(&w->has, 1));
		json_array_append_new(array, row);
	}
	return json_pack("{s:o}", "options", array);
}

static int kconfig_finish(const struct kconfig *k)
{
	size_t missing = 0;
	int status;

	for (size_t i = 0; i < k->count; i++)
		missing += k->check && k->list[i].has == 'n';
	status = missing ? EXIT_FAILED : EXIT_OK;
	if (k->json) {
		json_t *document = kconfig_describe(k);

		if (k->check)
			json_object_set_new(document, "missing", json_integer((json_int_t)missing));
		json_object_set_new(document, "exit_status", json_integer(status));
		document_print(document);
	} else {
		print_options(k);
	}
	return status;
}

static int command_kconfig(const struct parsed_line *line)
{
	const char *words = line_value(line, OPTION_CONFIGURATION),
		   *kernel = line_value(line, OPTION_CHECK);
	_cleanup_(configurations_clear) struct configurations chosen = { 0 };
	_cleanup_(kconfig_clear) struct kconfig k = { .check = kernel,
						      .json = line_has(line, OPTION_JSON) };
	_cleanup_error_ struct error *err = NULL;
	int status;

	if ((!words || catalogue_choose(words, &chosen, &err) == 0) &&
	    list_wishes(&k, &chosen, &err) == 0 && (!kernel || check_kernel(&k, kernel, &err) == 0))
		return kconfig_finish(&k);
	status = report_error(line->name, err);
	return k.json ? document_failure(err, status) : status;
}

const struct command kconfig_command = {
	.name = "kconfig",
	.summary = "print the kernel options that guests and configurations need",
	.about = "Prints the options that a kernel needs to run in rootlet's guests, and for "
		 "configurations of rootlet fstests, in the form of "
		 "scripts/kconfig/merge_config.sh.",
	.statuses = "0 printed, or the kernel has all options; 1 it lacks some; 2 wrong command "
		    "line, no such kernel or no such configuration; 5 the kernel's configuration "
		    "is unknown.",
	.rows = kconfig_rows,
	.run = command_kconfig,
};
