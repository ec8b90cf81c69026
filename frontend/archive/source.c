#include "frontend/archive/source.h"

#include <string.h>
#include <sys/utsname.h>

#include "frontend/archive/dated.h"
#include "frontend/archive/mirror_url.h"
#include "lib/cleanup.h"
#include "proto/validate.h"

#define UBUNTU_MIRROR "http://archive.ubuntu.com/ubuntu"
#define UBUNTU_PORTS_MIRROR "http://ports.ubuntu.com/ubuntu-ports"

struct distribution {
	const char *name;
	const char *keyring, *keyring_package;
	const char *components[4];
};

static const struct distribution ubuntu = {
	"Ubuntu",
	"/usr/share/keyrings/ubuntu-archive-keyring.gpg",
	"ubuntu-keyring",
	{ "main", "universe" }, /* most filesystem tools are in universe */
};

static const struct distribution debian = {
	"Debian",
	"/usr/share/keyrings/debian-archive-keyring.gpg",
	"debian-archive-keyring",
	{ "main" },
};

/* suites[] and suite_distributions[] have the same index. */
static const char *const suites[] = { "jammy",	  "noble",  "focal", "bionic",
				      "bookworm", "trixie", NULL };
static const struct distribution *const suite_distributions[] = { &ubuntu, &ubuntu, &ubuntu,
								  &ubuntu, &debian, &debian };

static const struct distribution *distribution_of(const char *suite)
{
	size_t i;

	for (i = 0; suites[i]; i++)
		if (strcmp(suites[i], suite) == 0)
			return suite_distributions[i];
	return NULL;
}

const char *const *source_suites(void)
{
	return suites;
}

const char *source_distribution(const char *suite)
{
	const struct distribution *d = suite ? distribution_of(suite) : NULL;

	return d ? d->name : NULL;
}

const char *source_native_arch(void)
{
	static const struct {
		const char *machine, *arch;
	} names[] = {
		{ "x86_64", "amd64" },	  { "aarch64", "arm64" },	{ "armv7l", "armhf" },
		{ "i686", "i386" },	  { "ppc64le", "ppc64el" },	{ "s390x", "s390x" },
		{ "riscv64", "riscv64" }, { "loongarch64", "loong64" },
	};
	struct utsname host;
	size_t i;

	if (uname(&host) == 0)
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(names[i].machine, host.machine) == 0)
				return names[i].arch;
	return "amd64";
}

static bool suite_of_debian(const char *suite)
{
	static const char *const names[] = {
		"stable",   "oldstable", "testing", "unstable", "sid",
		"bullseye", "bookworm",	 "trixie",  "forky",	"duke"
	};
	size_t i, length = strcspn(suite, "-/");

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == length && memcmp(names[i], suite, length) == 0)
			return true;
	return false;
}

/* How likely ENTRY is Debian's own archive, not a third-party one with the same suite names; 0 if
 * it is not. */
static int debian_score(const struct apt_entry *entry, const char *suite)
{
	const char *dir = strrchr(entry->uri, '/');
	int score = 0;

	if (strncmp(entry->uri, "http://", 7) != 0 && strncmp(entry->uri, "https://", 8) != 0 &&
	    strncmp(entry->uri, "file:/", 6) != 0)
		return 0;
	if (strstr(entry->keyring, "debian-archive-"))
		score += 8;
	if (strstr(entry->uri, "/debian"))
		score += 4;
	if (dir && strncmp(dir, "/debian", 7) == 0)
		score += 2;
	/* Signed with another key, or named differently: a third-party archive. */
	if ((entry->keyring[0] && score < 8) || score < 4)
		return 0;
	return score + (strcmp(entry->suite, suite) == 0);
}

const struct apt_entry *source_debian_entry(const struct apt_entries *entries, const char *suite,
					    bool security)
{
	const struct apt_entry *best = NULL;
	int best_score = 0, score;
	size_t i;

	for (i = 0; i < entries->count; i++) {
		const struct apt_entry *entry = &entries->list[i];
		const char *end = strrchr(entry->suite, '-');

		if (!suite_of_debian(entry->suite) ||
		    security != (end && strcmp(end, "-security") == 0))
			continue;
		score = debian_score(entry, suite);
		if (score > best_score) {
			best_score = score;
			best = entry;
		}
	}
	return best;
}

static int plan_debian_mirror(struct origin *origin, const char *apt_dir, struct error **err)
{
	_cleanup_(apt_entries_clear) struct apt_entries entries = { 0 };
	const struct apt_entry *entry;

	if (apt_read(apt_dir, &entries) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", apt_dir);
	entry = source_debian_entry(&entries, origin->suite, false);
	if (!entry)
		return error_set(err, ERR_HOST,
				 "no mirror for Debian %s: the apt configuration in %s names none; "
				 "pass one with --mirror URL",
				 origin->suite, apt_dir);
	origin->mirror = mirror_url_make(entry->uri, err);
	if (!origin->mirror)
		return -1;
	entry = source_debian_entry(&entries, origin->suite, true);
	if (entry && !(origin->security[0] = mirror_url_make(entry->uri, err)))
		return -1;
	origin->security[entry ? 1 : 0] = dated_security(origin->mirror);
	return 0;
}

static int source_plan_mirror(struct origin *origin, const struct source *source,
			      const struct distribution *distribution, const char *apt_dir,
			      struct error **err)
{
	bool x86 = strcmp(origin->arch, "amd64") == 0 || strcmp(origin->arch, "i386") == 0;

	origin->dated = source->dated;
	if (source->snapshot && dated_plan(source->snapshot, origin->distribution, origin->arch,
					   &origin->mirror, &origin->dated, err) < 0)
		return -1;
	if (source->mirror && !(origin->mirror = mirror_url_make(source->mirror, err)))
		return -1;
	if (origin->mirror) {
		if (!(origin->security[0] = strdup(origin->mirror)))
			return error_errno(err, ERR_SYSTEM, "cannot plan the download");
		if (distribution != &ubuntu)
			origin->security[1] = dated_security(origin->mirror);
		return 0;
	}
	if (distribution == &debian)
		return plan_debian_mirror(origin, apt_dir, err);
	origin->mirror = strdup(x86 ? UBUNTU_MIRROR : UBUNTU_PORTS_MIRROR);
	origin->security[0] = strdup(x86 ? UBUNTU_MIRROR : UBUNTU_PORTS_MIRROR);
	if (!origin->mirror || !origin->security[0])
		return error_errno(err, ERR_SYSTEM, "cannot plan the download");
	return 0;
}

/* The path must be absolute: gpgv looks for a name without a slash in its own directory. */
static int plan_keyring(struct origin *origin, const struct source *source,
			const struct distribution *distribution, struct error **err)
{
	const char *path = source->keyring ? source->keyring : distribution->keyring;

	origin->keyring = realpath(path, NULL);
	if (origin->keyring && access(origin->keyring, R_OK) == 0)
		return 0;
	if (source->keyring)
		return error_set(err, ERR_INPUT,
				 "cannot read the keyring %s: %s; pass a file with the archive's "
				 "keys, such as /usr/share/keyrings/debian-archive-keyring.gpg",
				 path, strerror(errno));
	return error_set(
		err, ERR_HOST,
		"cannot check %s's signatures: the keyring %s is missing; install it with: "
		"apt install %s (or pass another one with --keyring FILE)",
		distribution->name, path, distribution->keyring_package);
}

static int plan_components(struct origin *origin, const struct source *source,
			   const struct distribution *distribution, struct error **err)
{
	static const char *const only_main[] = { "main", NULL };
	const char *const *from = source->components;
	size_t i, count;

	if (!from || !from[0])
		from = distribution ? distribution->components : only_main;
	for (count = 0; from[count]; count++)
		if (!valid_archive_word(from[count]))
			return error_set(err, ERR_INPUT,
					 "malformed component \"%.48s\": only a-z, 0-9 and . + - "
					 "are allowed; for example: --components main,universe",
					 from[count]);
	origin->components = calloc(count + 1, sizeof(*origin->components));
	for (i = 0; origin->components && i < count; i++)
		if (!(origin->components[i] = strdup(from[i])))
			break;
	if (!origin->components || i < count)
		return error_errno(err, ERR_SYSTEM, "cannot plan the download");
	return 0;
}

static int plan_repositories(struct origin *origin, const struct source *source, struct error **err)
{
	if (source->repository_count > REPOSITORIES_MAX)
		return error_set(err, ERR_INPUT, "%zu repositories are too many: the limit is %d",
				 source->repository_count, REPOSITORIES_MAX);
	origin->repositories = calloc(REPOSITORIES_MAX, sizeof(*origin->repositories));
	if (!origin->repositories)
		return error_errno(err, ERR_SYSTEM, "cannot plan the download");
	while (origin->repository_count < source->repository_count) {
		size_t i = origin->repository_count++;

		if (repository_plan(&source->repositories[i], &origin->repositories[i], err) < 0)
			return -1;
	}
	return 0;
}

static int plan_check(const struct source *source, const struct distribution *distribution,
		      struct error **err)
{
	if (!valid_archive_word(source->suite))
		return error_set(err, ERR_INPUT,
				 "malformed release name: only a-z, 0-9 and . + - are allowed; for "
				 "example: --release %s",
				 suites[0]);
	if (source->arch && !valid_archive_word(source->arch))
		return error_set(err, ERR_INPUT,
				 "malformed architecture: only a-z, 0-9 and . + - are allowed; for "
				 "example: --arch %s",
				 source_native_arch());
	/* An unknown suite is fine if the user names its mirror and the key that signs it. */
	if (!distribution && ((!source->mirror && !source->snapshot) || !source->keyring))
		return error_set(
			err, ERR_INPUT,
			"unknown release %s: known are jammy, noble, focal and bionic "
			"of Ubuntu, bookworm and trixie of Debian; for another one also pass "
			"--mirror and --keyring",
			source->suite);
	return 0;
}

int source_plan(const struct source *source, const char *apt_dir, struct origin **out,
		struct error **err)
{
	_cleanup_(origin_free) struct origin *origin = calloc(1, sizeof(*origin));
	const char *suite = source->suite ? source->suite : suites[0];
	struct source asked = *source;
	const struct distribution *distribution = source->published ? NULL : distribution_of(suite);

	asked.suite = suite;
	if (plan_check(&asked, distribution, err) < 0)
		return -1;
	if (!origin || !(origin->suite = strdup(suite)) ||
	    !(origin->arch = strdup(source->arch ? source->arch : source_native_arch())) ||
	    (distribution && !(origin->distribution = strdup(distribution->name))))
		return error_errno(err, ERR_SYSTEM, "cannot plan the download");
	if (source_plan_mirror(origin, source, distribution, apt_dir, err) < 0 ||
	    plan_keyring(origin, source, distribution, err) < 0 ||
	    plan_components(origin, source, distribution, err) < 0 ||
	    plan_repositories(origin, source, err) < 0)
		return -1;
	origin->published = source->published;
	*out = STEAL_PTR(origin);
	return 0;
}

void origin_free(struct origin **origin)
{
	struct origin *o = *origin;
	size_t i;

	if (!o)
		return;
	free(o->suite);
	free(o->arch);
	free(o->distribution);
	free(o->mirror);
	for (i = 0; i < SOURCE_POCKET_MIRRORS; i++)
		free(o->security[i]);
	free(o->keyring);
	for (i = 0; o->components && o->components[i]; i++)
		free(o->components[i]);
	free(o->components);
	repositories_free(o->repositories, o->repository_count);
	free(o);
	*origin = NULL;
}
