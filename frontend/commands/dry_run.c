#include "frontend/commands/dry_run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "frontend/archive/permission.h"
#include "frontend/client/client.h"
#include "frontend/client/own_subids.h"
#include "frontend/rootfs/store.h"
#include "policy/decide_mirror.h"
#include "policy/policy_text.h"

/* As in the audit log. */
#define DIRECTORY_ARGUMENT "folder=%s"

/* Counts the rootfs in `dir` other than NAME, as the helper does. */
static uint64_t dry_run_count_rootfs(int dir, const char *name)
{
	int copy = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	uint64_t count = 0;

	if (!d)
		closep(&copy);
	while (d && (entry = readdir(d))) {
		_cleanup_close_ int fd = -1;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, name) == 0)
			continue;
		fd = openat(dir, entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		count += fd >= 0 && store_may_be_rootfs(fd);
	}
	if (d)
		closedir(d);
	return count;
}

struct dry_run {
	struct grant grant;
	uint64_t rootfs; /* in the directory, including the new one */
	dry_run_tell *tell;
	void *context;
};

static void dry_run_ask(struct dry_run *run, const struct question *q, const char *format, ...)
	PRINTF_LIKE(3, 4);
static void dry_run_ask(struct dry_run *run, const struct question *q, const char *format, ...)
{
	struct decision d;
	char arguments[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(arguments, sizeof(arguments), format, ap);
	va_end(ap);
	policy_decide_request(&run->grant, q, &d);
	if (d.allowed && q->suite && run->grant.rule && run->grant.rule->count_max != POLICY_NONE)
		policy_decide_limit(&run->grant, "max-count", run->grant.rule->count_max,
				    run->rootfs, &d);
	run->tell(q->request, arguments, &d, run->context);
}

#define RELEASE_CLAIMS_SIZE 40

/* What the requests about a release file say of its age. */
static const char *release_claims(const struct package_set *set, const struct pocket *pocket,
				  char claims[static RELEASE_CLAIMS_SIZE])
{
	int used = snprintf(claims, RELEASE_CLAIMS_SIZE, "%s", pocket->older ? " older=1" : "");

	if (set->dated && !pocket->repository)
		snprintf(claims + used, RELEASE_CLAIMS_SIZE - (size_t)used, " dated=%u",
			 (unsigned)set->dated);
	return claims;
}

static const char *release_suite(const struct package_set *set, const struct pocket *pocket)
{
	return pocket->repository ? set->repositories[pocket->repository - 1].suite : set->suite;
}

static void ask_releases(struct dry_run *run, const struct package_set *set)
{
	for (size_t i = 0; i < set->pocket_count; i++) {
		const struct pocket *pocket = &set->pockets[i];
		char claims[RELEASE_CLAIMS_SIZE];

		dry_run_ask(run, &(struct question){ "CheckRelease", .keyring = -1 },
			    "suite=%s pocket=%s mirror=%s%s%s", release_suite(set, pocket),
			    pocket->repository ? "" : pocket->name, pocket->place,
			    release_claims(set, pocket, claims),
			    pocket->repository ? " repository=1" : "");
	}
}

static void ask_release(struct dry_run *run, const struct package_set *set,
			const struct pocket *pocket)
{
	const char *older = pocket->older ? OLDER_RELEASE : set->dated ? DATED_ARCHIVE : NULL;
	char claims[RELEASE_CLAIMS_SIZE];

	dry_run_ask(run, &(struct question){ "Release", .keyring = -1, .older = older },
		    "pocket=%s mirror=%s%s", pocket->name, pocket->place,
		    release_claims(set, pocket, claims));
}

static void ask_repository(struct dry_run *run, const struct package_set *set,
			   const struct pocket *pocket)
{
	const char *path = set->repositories[pocket->repository - 1].keyring;
	_cleanup_close_ int keyring = open(path, O_RDONLY | O_CLOEXEC);
	char claims[RELEASE_CLAIMS_SIZE];

	dry_run_ask(run,
		    &(struct question){ "Repository", .keyring = keyring,
					.older = pocket->older ? OLDER_RELEASE : NULL },
		    "name=%s suite=%s mirror=%s%s keyring=%s", pocket->name,
		    release_suite(set, pocket), pocket->place, release_claims(set, pocket, claims),
		    path);
}

static void ask_packages(struct dry_run *run, const struct package_set *set)
{
	for (size_t i = 0; i < set->pocket_count; i++) {
		const struct pocket *pocket = &set->pockets[i];

		if (pocket->repository)
			ask_repository(run, set, pocket);
		else
			ask_release(run, set, pocket);
		for (size_t j = 0; j < pocket->index_count; j++)
			dry_run_ask(run, &(struct question){ "Index", .keyring = -1 },
				    "pocket=%s component=%s", pocket->name,
				    pocket->indexes[j].component);
	}
	for (size_t i = 0; i < set->package_count; i++)
		dry_run_ask(run,
			    &(struct question){ "Package", .package = set->packages[i].name,
						.keyring = -1 },
			    "name=%s version=%s", set->packages[i].name, set->packages[i].version);
}

static void ask_accounts(struct dry_run *run, const struct profile *profile)
{
	for (size_t i = 0; i < profile->group_count; i++)
		dry_run_ask(run, &(struct question){ "AddGroup", .keyring = -1 }, "name=%s gid=%u",
			    profile->groups[i].name, profile->groups[i].gid);
	for (size_t i = 0; i < profile->user_count; i++)
		dry_run_ask(run, &(struct question){ "AddUser", .keyring = -1 },
			    "name=%s uid=%u gid=%u", profile->users[i].name, profile->users[i].uid,
			    profile->users[i].gid);
}

/* Whether the caller has a range of ids. Without one, the helper does not answer. */
static bool has_ids(const struct dry_run *run)
{
	struct decision d = { .rule = "/etc/subuid, /etc/subgid" };
	struct subids subids;

	if (helper_is_installed() || own_subids_find(&subids))
		return true;
	snprintf(d.why, sizeof(d.why), "%s; %s%.100s", subids.why, own_subids_ask(&subids),
		 subids.fix);
	run->tell("Hello", "", &d, run->context);
	return false;
}

int dry_run_start(dry_run_tell *tell, void *context, struct error **err)
{
	const struct question q = { .request = "Hello", .keyring = -1 };
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct dry_run run = { .tell = tell, .context = context };
	struct decision d;

	if (permission_load(&policy, &run.grant, err) < 0)
		return -1;
	policy_decide_request(&run.grant, &q, &d);
	if (d.allowed && !has_ids(&run))
		return 0;
	tell(q.request, "", &d, context);
	return d.allowed;
}

/* The requests that come before those of the create itself. */
static void ask_first(struct dry_run *run, const struct provision *p, const char *dir)
{
	if (p->parent >= 0 && store_has_stale(p->parent, NULL))
		dry_run_ask(run, &(struct question){ "Remove", .dir = dir, .keyring = -1 },
			    DIRECTORY_ARGUMENT " stale=1, left by killed runs", dir);
	if (p->parent >= 0 && p->replace &&
	    faccessat(p->parent, p->base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		dry_run_ask(run, &(struct question){ "Inspect", .dir = dir, .keyring = -1 },
			    DIRECTORY_ARGUMENT "/%s deep=0", dir, p->base);
}

/* Whether the policy allows snapshots in `bases`. If not, none is requested. */
static bool has_bases(const struct dry_run *run, const char *bases)
{
	struct decision d;

	if (bases)
		policy_decide_request(
			&run->grant, &(struct question){ "Keep", .dir = bases, .keyring = -1 }, &d);
	return bases && d.allowed;
}

static bool may_extend(const struct provision *p)
{
	return !p->lock && strcmp(p->engine, "native") == 0;
}

int dry_run_requests(const struct provision *p, const char *dir, const char *bases,
		     dry_run_tell *tell, void *context, struct error **err)
{
	const struct package_set *set = packages_set(p->fetch);
	_cleanup_close_ int keyring = open(set->keyring, O_RDONLY | O_CLOEXEC);
	_cleanup_(policy_free) struct policy *policy = NULL;
	struct dry_run run = { .tell = tell, .context = context };

	if (keyring < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", set->keyring);
	if (permission_load(&policy, &run.grant, err) < 0)
		return -1;
	run.rootfs = dry_run_count_rootfs(p->parent, p->base) + 1;
	ask_first(&run, p, dir);
	ask_releases(&run, set);
	if (has_bases(&run, bases))
		dry_run_ask(&run, &(struct question){ "Clone", .dir = dir, .keyring = -1 },
			    "name=%s " DIRECTORY_ARGUMENT " " DIRECTORY_ARGUMENT
			    ", then Publish, if there is a snapshot; else:",
			    p->base, dir, bases);
	if (has_bases(&run, bases) && may_extend(p))
		dry_run_ask(&run,
			    &(struct question){ "Extend", .suite = set->suite, .engine = "native",
						.dir = dir, .keyring = keyring },
			    "name=%s " DIRECTORY_ARGUMENT " " DIRECTORY_ARGUMENT
			    " suite=%s arch=%s keyring=%s, then the same with fewer packages, if "
			    "there is a similar snapshot; else:",
			    p->base, dir, bases, set->suite, set->arch, set->keyring);
	dry_run_ask(&run,
		    &(struct question){ "Begin", .suite = set->suite, .engine = p->engine,
					.dir = dir, .keyring = keyring },
		    "name=%s suite=%s arch=%s engine=%s " DIRECTORY_ARGUMENT " keyring=%s", p->base,
		    set->suite, set->arch, p->engine, dir, set->keyring);
	ask_packages(&run, set);
	dry_run_ask(&run, &(struct question){ "Bootstrap", .keyring = -1 }, "%s", "");
	if (!p->finished)
		ask_accounts(&run, p->profile);
	if (has_bases(&run, bases))
		dry_run_ask(&run, &(struct question){ "Keep", .dir = bases, .keyring = -1 },
			    DIRECTORY_ARGUMENT, bases);
	dry_run_ask(&run,
		    &(struct question){ "Publish", .keyring = -1, .replaces = p->replace,
					.mode = p->mode },
		    "replace=%d mode=%04o", p->replace, p->mode);
	return 0;
}
