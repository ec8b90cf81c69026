#include "helper/worker/unpack/unpack_plan.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/worker/unpack/database.h"
#include "lib/beneath.h"
#include "lib/deb822.h"

#define CONTROL_MAX (1 << 20)

#define PLAN "_plan"

static int plan_read_control(struct unpacked_package *p, int work, struct error **err)
{
	p->control = tree_read_file(work, p->name, CONTROL_MAX, &p->control_size);
	if (!p->control)
		return error_errno(err, ERR_SYSTEM, "package %s: cannot read its control file",
				   p->name);
	return 0;
}

/* --- dependencies --- */

/* Walks over the names of a dependency field: "a (>= 1) | b, c:any". */
struct names {
	const char *at, *end;
	size_t group; /* of alternatives */
	char name[PACKAGE_NAME_MAX + 1];
};

static bool next_name(struct names *n)
{
	size_t length;

	while (n->at < n->end && strchr(" \t\n|,", *n->at))
		n->group += *n->at++ == ',';
	if (n->at == n->end)
		return false;
	length = strcspn(n->at, " \t\n|,:([");
	if (length > (size_t)(n->end - n->at))
		length = (size_t)(n->end - n->at);
	snprintf(n->name, sizeof(n->name), "%.*s", (int)length, n->at);
	n->at += length;
	while (n->at < n->end && *n->at != ',' && *n->at != '|')
		n->at++;
	return true;
}

static struct names names_of(const struct unpacked_package *p, const char *field)
{
	size_t size = 0;
	const char *value = package_field(p, field, &size);

	return (struct names){ .at = value, .end = value ? value + size : value };
}

static bool provides(const struct unpacked_package *p, const char *name)
{
	struct names n = names_of(p, "Provides");

	if (strcmp(p->name, name) == 0)
		return true;
	while (next_name(&n))
		if (strcmp(n.name, name) == 0)
			return true;
	return false;
}

/* --- base --- */

static bool mark_needed(struct unpack_plan *plan, const struct unpacked_package *by,
			const char *field)
{
	struct names n = names_of(by, field);
	bool more = false;

	while (next_name(&n))
		for (size_t i = 0; i < plan->count; i++) {
			struct unpacked_package *p = &plan->packages[i];

			if (!p->base && provides(p, n.name))
				p->base = more = true;
		}
	return more;
}

/* The essential packages, dpkg, and everything that they depend on. */
static void mark_base(struct unpack_plan *plan)
{
	bool more = true;

	for (size_t i = 0; i < plan->count; i++) {
		struct unpacked_package *p = &plan->packages[i];

		p->base = strcmp(p->name, "dpkg") == 0 ||
			  stanza_field_is(p->control, p->control_size, "Essential", "yes");
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < plan->count; i++)
			if (plan->packages[i].base) {
				more |= mark_needed(plan, &plan->packages[i], "Pre-Depends");
				more |= mark_needed(plan, &plan->packages[i], "Depends");
			}
	}
}

/* base-files comes first, whose directories must get the modes that it gives them. */
static bool belongs_before(const struct unpacked_package *p, const struct unpacked_package *other)
{
	if (strcmp(other->name, "base-files") == 0)
		return false;
	return strcmp(p->name, "base-files") == 0 || strcmp(p->name, other->name) < 0;
}

/* By name: they arrive in the order in which their downloads end. Not by qsort(3), which makes
 * system calls that a worker may not make. */
static void plan_sort(struct unpack_plan *plan)
{
	for (size_t i = 1; i < plan->count; i++) {
		const struct unpacked_package p = plan->packages[i];
		size_t at = i;

		while (at > 0 && belongs_before(&p, &plan->packages[at - 1]))
			at--;
		memmove(&plan->packages[at + 1], &plan->packages[at], (i - at) * sizeof(p));
		plan->packages[at] = p;
	}
}

int plan_read(struct unpack_plan *plan, const struct layout *layout, struct error **err)
{
	plan_sort(plan);
	for (size_t i = 0; i < plan->count; i++)
		if (plan_read_control(&plan->packages[i], layout->work, err) < 0)
			return -1;
	mark_base(plan);
	return 0;
}

/* --- the script --- */

static const char prologue[] =
	"# Written by rootlet.\n"
	"cd /var/lib/dpkg\n"
	/* As dpkg does it, including the directory where debconf(7) looks for the package's
	 * name. */
	"preinst() {\n"
	"  echo \"Preparing to unpack $1 ...\"\n"
	"  mkdir tmp.ci\n"
	"  cp rootlet/$1 tmp.ci/control\n"
	"  for kind in preinst templates config; do\n"
	"    [ ! -e info/$3.$kind ] || cp -p info/$3.$kind tmp.ci/$kind\n"
	"  done\n"
	"  (cd / && DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT= DPKG_MAINTSCRIPT_PACKAGE=$1 \\\n"
	"  DPKG_MAINTSCRIPT_ARCH=$2 DPKG_MAINTSCRIPT_NAME=preinst DPKG_RUNNING_VERSION=$version "
	"\\\n"
	"  DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 /var/lib/dpkg/tmp.ci/preinst install) ||\n"
	"  { echo \"$1: its preinst script failed with status $?\"; exit 1; }\n"
	"  rm -r tmp.ci\n"
	"}\n"
	/* debootstrap and mmdebstrap leave this file, and scripts check whether it exists. */
	"[ -e /etc/fstab ] || echo '# UNCONFIGURED FSTAB FOR BASE SYSTEM' >/etc/fstab\n";

/* Scripts must not start services: invoke-rc.d(8) asks this. */
static const char no_services[] = "cd /var/lib/dpkg\n"
				  "[ ! -e /usr/sbin/policy-rc.d ] || "
				  "mv /usr/sbin/policy-rc.d rootlet/_policy\n"
				  "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\n"
				  "chmod 755 /usr/sbin/policy-rc.d\n";

/* As if dpkg had unpacked them after base-files: a directory whose name is diverted gets the other
 * name. Sorted, because the lines come in any order. */
static const char aliases[] =
	"[ ! -e rootlet/" ALIASES " ] || sort rootlet/" ALIASES " | while read name mode time; do\n"
	"  other=$(dpkg-divert --truename /$name)\n"
	"  [ ! -e $other ] || continue\n"
	"  mkdir -m $mode $other\n"
	"  touch -d @$time $other\n"
	"done\n";

static const char epilogue[] =
	"dpkg --configure --pending\n"
	"rm -f /usr/sbin/policy-rc.d\n"
	"[ ! -e rootlet/_policy ] || mv rootlet/_policy /usr/sbin/policy-rc.d\n"
	"rm -rf /var/lib/dpkg/rootlet\n";

static void write_preinst(const struct unpacked_package *p, const struct layout *layout, FILE *f)
{
	char name[PACKAGE_NAME_MAX + SUITE_MAX + 2], arch[SUITE_MAX + 1] = "";
	size_t size;
	const char *value = package_field(p, "Architecture", &size);

	if (value && size < sizeof(arch))
		memcpy(arch, value, size);
	package_database_name(p, layout, name, sizeof(name));
	if (valid_archive_word(arch))
		fprintf(f, "preinst %s %s %s\n", p->name, arch, name);
}

/* First the package that provides /etc/passwd, because all others may look up an owner; then those
 * that other scripts may rely on. */
static void write_preinsts(const struct unpack_plan *plan, const struct layout *layout, FILE *f)
{
	for (int pass = 0; pass < 3; pass++)
		for (size_t i = 0; i < plan->count; i++) {
			const struct unpacked_package *p = &plan->packages[i];
			int turn = strcmp(p->name, "base-passwd") == 0 ? 0 : p->base ? 1 : 2;

			if (p->state == PACKAGE_AHEAD && turn == pass)
				write_preinst(p, layout, f);
		}
}

/* Calls dpkg once for all CHOSEN packages. Their triggers run once, at the end. */
static void write_unpack(struct unpack_plan *plan, const bool *chosen, FILE *f)
{
	/* The order is right, but a package with a pending trigger counts as unconfigured. */
	fputs("dpkg --no-triggers --force-depends --unpack", f);
	for (size_t i = 0; i < plan->count; i++)
		if (chosen[i]) {
			fprintf(f, " /" WORK "/%s_.deb", plan->packages[i].name);
			plan->packages[i].unpacked = true;
		}
	fputs("\n", f);
}

static void write_configure(struct unpack_plan *plan, const bool *chosen, FILE *f)
{
	fputs("dpkg --no-triggers --configure", f);
	for (size_t i = 0; i < plan->count; i++)
		if (chosen[i] && !plan->packages[i].configured) {
			fprintf(f, " %s", plan->packages[i].name);
			plan->packages[i].configured = true;
		}
	fputs("\n", f);
}

/* In each group of alternatives in Pre-Depends, one is configured, or none of them exists. */
static bool plan_is_ready(const struct unpack_plan *plan, const struct unpacked_package *p)
{
	struct names n = names_of(p, "Pre-Depends");
	size_t group = SIZE_MAX;
	bool there = false, met = false;

	while (next_name(&n)) {
		if (n.group != group && there && !met)
			return false;
		if (n.group != group)
			there = met = false;
		group = n.group;
		for (size_t i = 0; i < plan->count; i++)
			if (provides(&plan->packages[i], n.name)) {
				there = true;
				met = met || plan->packages[i].configured;
			}
	}
	return !there || met;
}

/* Whether one alternative of GROUP in P's FIELD is configured already, so that the others do not
 * matter. */
static bool is_met(const struct unpack_plan *plan, const struct unpacked_package *p,
		   const char *field, size_t group)
{
	struct names n = names_of(p, field);

	while (next_name(&n))
		for (size_t i = 0; n.group == group && i < plan->count; i++)
			if (plan->packages[i].configured && provides(&plan->packages[i], n.name))
				return true;
	return false;
}

/* Collects in NEEDED all that must be configured before P can be unpacked. False if some of it is
 * not unpacked itself. */
static bool collect_needed(const struct unpack_plan *plan, const struct unpacked_package *p,
			   bool *needed)
{
	static const char *const fields[] = { "Pre-Depends", "Depends" };
	bool possible = true;

	/* For P itself only Pre-Depends. The others must be configurable, so for them both
	 * fields. */
	for (size_t k = 0; k < 2 && !(k == 1 && !p->unpacked); k++) {
		struct names n = names_of(p, fields[k]);

		while (next_name(&n)) {
			if (is_met(plan, p, fields[k], n.group))
				continue;
			for (size_t i = 0; i < plan->count; i++) {
				const struct unpacked_package *other = &plan->packages[i];

				if (needed[i] || other->configured || !provides(other, n.name))
					continue;
				needed[i] = true;
				possible = other->unpacked && collect_needed(plan, other, needed) &&
					   possible;
			}
		}
	}
	return possible;
}

/* Configures what some package waits for. False if that would not help any package. */
static bool write_needed(struct unpack_plan *plan, FILE *f)
{
	static bool needed[PACKAGES_MAX];

	for (size_t i = 0; i < plan->count; i++) {
		if (plan->packages[i].unpacked)
			continue;
		memset(needed, 0, sizeof(needed));
		if (collect_needed(plan, &plan->packages[i], needed)) {
			write_configure(plan, needed, f);
			return true;
		}
	}
	return false;
}

/* Has dpkg unpack each remaining package, as soon as what its preinst may rely on is configured. */
static void write_rounds(struct unpack_plan *plan, FILE *f)
{
	static bool chosen[PACKAGES_MAX];

	for (;;) {
		size_t left = 0, ready = 0;

		for (size_t i = 0; i < plan->count; i++) {
			const struct unpacked_package *p = &plan->packages[i];

			chosen[i] = !p->unpacked && plan_is_ready(plan, p);
			left += !p->unpacked;
			ready += chosen[i];
		}
		if (left == 0)
			return;
		if (ready == 0 && write_needed(plan, f))
			continue;
		/* A dependency cycle: dpkg may complain about it. */
		for (size_t i = 0; ready == 0 && i < plan->count; i++)
			chosen[i] = !plan->packages[i].unpacked;
		write_unpack(plan, chosen, f);
	}
}

static void write_base(struct unpack_plan *plan, FILE *f)
{
	static bool chosen[PACKAGES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++) {
		struct unpacked_package *p = &plan->packages[i];

		p->unpacked = p->state != PACKAGE_KEPT;
		chosen[i] = p->base && !p->unpacked;
		count += chosen[i];
	}
	if (count)
		write_unpack(plan, chosen, f);
	for (size_t i = 0; i < plan->count; i++) {
		struct unpacked_package *p = &plan->packages[i];

		/* Users and groups, which hardly any package depends on explicitly. */
		if (!p->base || strcmp(p->name, "base-passwd") != 0)
			continue;
		fputs("dpkg --no-triggers --force-depends --configure base-passwd\n", f);
		/* dpkg refuses to configure a package again. */
		p->configured = true;
	}
}

static bool all_unpacked(const struct unpack_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (!plan->packages[i].unpacked)
			return false;
	return true;
}

static void write_script(struct unpack_plan *plan, const struct layout *layout, FILE *f)
{
	static bool chosen[PACKAGES_MAX];
	size_t size;

	for (size_t i = 0; i < plan->count; i++) {
		const struct unpacked_package *p = &plan->packages[i];
		const char *version = package_field(p, "Version", &size);

		chosen[i] = p->base;
		if (version && strcmp(p->name, "dpkg") == 0 && !strchr("'\\", version[0]))
			fprintf(f, "version='%.*s'\n", (int)strcspn(version, "-'\n"), version);
	}
	fputs(prologue, f);
	fputs(no_services, f);
	write_preinsts(plan, layout, f);
	write_base(plan, f);
	fputs(aliases, f);
	if (!all_unpacked(plan)) {
		write_configure(plan, chosen, f);
		write_rounds(plan, f);
	}
	fputs(epilogue, f);
}

/* dpkg refuses to remove an essential package. The set of packages was chosen as a whole, with all
 * dependencies met, so dpkg need not look at them in between. */
static void write_change(struct unpack_plan *plan, const struct layout *layout, FILE *f)
{
	(void)layout;
	fputs(no_services, f);
	/* dpkg would ask about configuration files that were changed. */
	fputs("dpkg() { command dpkg --force-confdef --force-confold \"$@\"; }\n", f);
	if (plan->removed.count) {
		fputs("dpkg --force-depends --purge", f);
		for (const char *name = NULL; (name = words_next(&plan->removed, name));)
			fprintf(f, " %s", name);
		fputs("\n", f);
	}
	write_rounds(plan, f);
	fputs(epilogue, f);
	fputs("problems=$(dpkg --audit)\n[ -z \"$problems\" ] || { echo \"$problems\"; exit 1; }\n",
	      f);
}

static int write_plan(struct unpack_plan *plan, const struct layout *layout,
		      void (*write)(struct unpack_plan *plan, const struct layout *layout, FILE *f),
		      struct error **err)
{
	int fd = openat(layout->work, PLAN, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f)
		write(plan, layout, f);
	return f && fflush(f) == 0 ? 0
				   : error_errno(err, ERR_SYSTEM, "cannot write /" WORK "/" PLAN);
}

int plan_write(struct unpack_plan *plan, const struct layout *layout, struct error **err)
{
	if (plan->count == 0)
		return error_set(err, ERR_REFUSED, "Bootstrap refused: no package was sent");
	if (database_write(plan, layout, err) < 0)
		return -1;
	return write_plan(plan, layout, write_script, err);
}

int plan_write_change(struct unpack_plan *plan, const struct layout *layout, struct error **err)
{
	return write_plan(plan, layout, write_change, err);
}
