#include "frontend/fstests/configuration_text.h"

#include <stdio.h>
#include <string.h>

#define DEVICES_PLAIN 2	   /* test and scratch */
#define DEVICES_EXTERNAL 7 /* these, two logs, two realtime devices, and the one for log writes */

static bool has_disks(const struct test_configuration *c)
{
	return strcmp(c->fstype, "tmpfs") != 0 && strcmp(c->fstype, "nfs") != 0;
}

static void compose_words(FILE *out, const char *name, char *const *words)
{
	if (!words || !*words)
		return;
	fprintf(out, "%s=\"", name);
	for (size_t i = 0; words[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", words[i]);
	fputs("\"\n", out);
}

/* fstests passes a log or realtime device to mkfs and mount if USE_EXTERNAL is set. */
static void compose_external(FILE *out, const struct test_configuration *c)
{
	fputs("USE_EXTERNAL=yes\nSCRATCH_DEV_POOL=\nSCRATCH_DEV=$ROOTLET_SCRATCH1\n", out);
	if (c->log)
		fputs("TEST_LOGDEV=$ROOTLET_SCRATCH2\nSCRATCH_LOGDEV=$ROOTLET_SCRATCH3\n", out);
	if (c->realtime)
		fputs("TEST_RTDEV=$ROOTLET_SCRATCH4\nSCRATCH_RTDEV=$ROOTLET_SCRATCH5\n", out);
}

/* For version 4, paths begin at the directory that frontend/guest/fstests.sh exports as the root.
 */
static void compose_nfs(FILE *out, const struct test_configuration *c)
{
	const char *root = c->mount && strstr(c->mount, "vers=3") ? "/srv/rootlet" : "";

	fprintf(out,
		"ROOTLET_SERVED=%s\nTEST_DEV=127.0.0.1:%s/test\nSCRATCH_DEV=127.0.0.1:%s/scratch\n",
		c->base ? c->base : "ext4", root, root);
}

/* ROOTLET_SERVED tells the guest's script to export the disks with NFS. */
static void compose_devices(FILE *out, const struct test_configuration *c)
{
	if (strcmp(c->fstype, "tmpfs") == 0)
		fputs("TEST_DEV=tmpfs_test\nSCRATCH_DEV=tmpfs_scratch\n", out);
	else if (strcmp(c->fstype, "nfs") == 0)
		compose_nfs(out, c);
	if (!has_disks(c))
		fputs("SCRATCH_DEV_POOL=\nLOGWRITES_DEV=\n", out);
	if (c->log || c->realtime)
		compose_external(out, c);
}

static void compose_section(FILE *out, const struct test_configuration *c)
{
	char section[CONFIGURATION_SIZE];

	fprintf(out, "[%s]\nFSTYP=%s\n", configuration_section(c, section), c->fstype);
	if (strcmp(c->fstype, "overlay") == 0 && c->base)
		fprintf(out, "OVL_BASE_FSTYP=%s\n", c->base);
	compose_devices(out, c);
	if (c->mkfs)
		fprintf(out, "MKFS_OPTIONS=\"%s\"\n", c->mkfs);
	if (c->mount)
		fprintf(out, "MOUNT_OPTIONS=\"-o %s\"\nTEST_FS_MOUNT_OPTS=\"-o %s\"\n", c->mount,
			c->mount);
	for (char **one = c->variables; one && *one; one++) {
		int name = (int)strcspn(*one, "=");
		bool quote = strchr(*one, ' ');

		fprintf(out, "%.*s=%s%s%s\n", name, *one, quote ? "\"" : "", *one + name + 1,
			quote ? "\"" : "");
	}
	compose_words(out, "ROOTLET_TOOLS", c->tools);
	fputc('\n', out);
}

char *configurations_compose(const struct configurations *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < c->count; i++)
		compose_section(out, &c->list[i]);
	return fclose(out) == 0 ? text : NULL;
}

char *configurations_types(const struct configurations *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < c->count; i++)
		fprintf(out, "%s%s%s%s", i ? " " : "", c->list[i].fstype,
			c->list[i].base ? " " : "", c->list[i].base ? c->list[i].base : "");
	return fclose(out) == 0 ? text : NULL;
}

unsigned int configurations_devices(const struct configurations *c)
{
	unsigned int most = 0;

	for (size_t i = 0; i < c->count; i++) {
		unsigned int needs = c->list[i].log || c->list[i].realtime     ? DEVICES_EXTERNAL
				     : strcmp(c->list[i].fstype, "tmpfs") == 0 ? 1
									       : DEVICES_PLAIN;

		most = needs > most ? needs : most;
	}
	return most;
}
