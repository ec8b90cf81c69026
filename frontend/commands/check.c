/* rootlet check: reports whether a rootfs is ready, and if not, why and how to fix it. Continues
 * after a problem, so that one run reports all of them. */
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "frontend/client/inspection.h"
#include "frontend/client/release_seen.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/contents.h"
#include "frontend/rootfs/findings.h"
#include "frontend/rootfs/freshness.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/profile_load.h"
#include "frontend/rootfs/publisher.h"
#include "frontend/rootfs/store.h"

enum { OPTION_DEEP = OPTION_OWN };

static const struct option_row check_rows[] = {
	ROOTFS_ROWS,
	{ "--deep", NULL, OPTION_DEEP,
	  "also run dpkg --audit and dpkg --verify in the rootfs; takes seconds", .once = true },
	JSON_ROW(JSON_FINDINGS),
	{ NULL },
};

/* Tests run as the first users of a profile; the others are extras. */
#define PRIMARY_USERS 2

struct check {
	const char *name, *path;
	bool deep, json;
	int directory, rootfs; /* as found (O_PATH), and as opened; or -1 */
	unsigned mode;
	char *dir, *base, *absolute;
	char *publisher; /* URL, without a password; NULL: not recorded */
	struct manifest *manifest;
	struct profile *profile; /* NULL if it is gone or has changed since */
	bool profile_changed;
	struct helper *helper;
	bool sized;
	struct answer inspection;
	struct findings findings;
};

static void check_clear(struct check *c)
{
	helper_stop(&c->helper);
	closep(&c->directory);
	closep(&c->rootfs);
	free(c->dir);
	free(c->base);
	free(c->absolute);
	free(c->publisher);
	manifest_free(&c->manifest);
	profile_free(&c->profile);
	findings_clear(&c->findings);
}

static void on_log(const char *line, void *context)
{
	struct check *c = context;

	findings_add_anew(&c->findings, "dpkg: %s", line);
}

/* Turns an error into a finding, unless it is an interrupt. */
static int as_finding(struct check *c, struct error **err)
{
	if (*err && (*err)->code == ERR_INTERRUPTED)
		return -1;
	findings_add(&c->findings, "%s", error_text(*err));
	error_free(err);
	return 0;
}

static void check_ids(struct check *c)
{
	const struct host_ids *ids = helper_ids(c->helper);
	const struct manifest *m = c->manifest;

	/* A rootfs made from a lock. store_open() has compared the owner of the tree. */
	if (!m->count)
		return;
	if (m->first_uid != ids->first_uid || m->first_gid != ids->first_gid ||
	    m->count > ids->count)
		findings_add_anew(&c->findings,
				  "the manifest has host ids %u:%u (%u of them), but this host "
				  "gives you %u:%u (%u)",
				  m->first_uid, m->first_gid, m->count, ids->first_uid,
				  ids->first_gid, ids->count);
}

static int inspect(struct check *c, struct error **err)
{
	helper_set_log(c->helper, on_log, c);
	if (inspect_tree(c->helper, c->rootfs, c->deep, &c->inspection, err) < 0)
		return as_finding(c, err);
	c->sized = true;
	if (c->inspection.foreign)
		findings_add_anew(&c->findings, "%u files belong to ids outside the rootfs's range",
				  c->inspection.foreign);
	return 0;
}

static void check_manifest(struct check *c)
{
	const struct manifest *m = c->manifest;
	const struct profile *p;

	contents_check_release(c->helper, c->rootfs, m, &c->findings);
	contents_check_packages(c->helper, c->rootfs, m, &c->findings);
	if (profile_load(m->profile, &c->profile, NULL) == 0 &&
	    strcmp(c->profile->sha256, m->profile_sha256) != 0) {
		c->profile_changed = true;
		profile_free(&c->profile);
	}
	/* Trust an unchanged profile over the manifest, which code in the rootfs can have edited.
	 */
	p = c->profile;
	contents_check_accounts(c->helper, c->rootfs, p ? p->users : m->users,
				p ? p->user_count : m->user_count, p ? p->groups : m->groups,
				p ? p->group_count : m->group_count, &c->findings);
}

static void find_publisher(struct check *c)
{
	struct publisher publisher = { 0 };

	if (c->manifest->published && publisher_read(c->dir, c->base, &publisher, NULL) == 0)
		c->publisher = release_seen_place(publisher.url);
	publisher_clear(&publisher);
}

/* The command that rebuilds this rootfs; the caller frees it. NULL if out of memory. */
static char *compose_anew(const struct check *c)
{
	const struct manifest *m = c->manifest;
	const char *option = c->path ? " --path " : c->name ? " --name " : "";
	const char *value = c->path ? c->path : c->name ? c->name : "";
	char *line = NULL;

	if (asprintf(&line, "rootlet create --force%s%s%s%s%s%s", option, value,
		     m ? " --release " : "", m ? m->suite : "", m ? " --profile " : "",
		     m ? m->profile : "") < 0)
		return NULL;
	return line;
}

static int look_inside(struct check *c, struct error **err)
{
	struct stat st;

	if (helper_start("check", NULL, &c->helper, err) < 0 ||
	    store_open(c->helper, c->directory, c->absolute, &c->rootfs, NULL, err) < 0)
		return as_finding(c, err);
	if (fstat(c->rootfs, &st) == 0)
		c->mode = st.st_mode & 07777;
	manifest_read(c->helper, c->rootfs, &c->manifest, err);
	c->findings.anew = compose_anew(c);
	if (!c->findings.anew)
		return error_no_memory(err);
	if (!c->manifest) {
		findings_add_anew(&c->findings, "%s", error_text(*err));
		error_free(err);
	}
	contents_check_structure(c->helper, c->rootfs, &c->findings);
	if (c->manifest) {
		check_manifest(c);
		check_ids(c);
		find_publisher(c);
	}
	return interrupt_caught() ? error_set(err, ERR_INTERRUPTED, "interrupted")
				  : inspect(c, err);
}

static int check_rootfs(struct check *c, struct error **err)
{
	if (store_resolve(c->name, c->path, &c->dir, &c->base, err) < 0)
		return -1;
	store_tidy("check", c->dir);
	if (store_find(c->name, c->path, &c->directory, &c->absolute, err) < 0)
		return -1;
	return look_inside(c, err);
}

static void print_users(const char *label, const struct manifest *m, size_t first, size_t end)
{
	if (first >= end)
		return;
	fputs(label, stdout);
	for (size_t i = first; i < end; i++)
		printf("%s%s", i == first ? " " : ", ", m->users[i].name);
	putchar('\n');
}

static int64_t days_since(int64_t then)
{
	int64_t seconds = time(NULL) - then;

	return seconds > 0 ? seconds / DAY_SECONDS : 0;
}

/* When it was created or last upgraded. */
static int64_t freshness_of(const struct check *c)
{
	return freshness_read(c->dir, c->base, c->manifest->created, false);
}

static void check_print_facts(const struct check *c)
{
	const struct manifest *m = c->manifest;
	size_t primary;
	char size[TEXT_SIZE_LEN], age[TEXT_DURATION_LEN];
	int64_t fresh;

	if (c->sized)
		printf("Size: %s\n", text_size(c->inspection.bytes, size));
	if (!m)
		return;
	primary = m->user_count < PRIMARY_USERS ? m->user_count : PRIMARY_USERS;
	printf("%s: %s\n", m->distribution, m->suite);
	print_users("Test users:", m, 0, primary);
	print_users("Other users:", m, primary, m->user_count);
	printf("Packages: %zu\n", m->package_count);
	fresh = freshness_of(c);
	printf("Generation: %u, %s %s ago\n", m->generation,
	       fresh > m->created ? "upgraded" : "created", text_age(time(NULL) - fresh, age));
	if (m->published)
		printf("Follows: generation %u of %s%s%s\n", m->published_generation, m->published,
		       c->publisher ? ", published at " : "", c->publisher ? c->publisher : "");
	if (c->mode & (S_IRWXG | S_IRWXO))
		printf("Mode: %04o: every local user who can reach it can run its setuid programs; "
		       "to close it, run: %s\n",
		       c->mode, c->findings.anew);
	if (c->profile_changed)
		printf("Note: profile %s has changed since; to apply the changes, run: %s\n",
		       m->profile, c->findings.anew);
}

/* What it was made from with create --from, and follows. */
static json_t *describe_published(const struct check *c)
{
	const struct manifest *m = c->manifest;

	if (!m || !m->published)
		return json_null();
	return json_pack("{s:o, s:I, s:o}", "name", json_text(m->published), "generation",
			 (json_int_t)m->published_generation, "url", json_text(c->publisher));
}

static json_t *check_describe(const struct check *c, const char *state)
{
	const struct manifest *m = c->manifest;
	json_t *users = json_array(), *reasons = json_array();
	int64_t fresh = m ? freshness_of(c) : 0;
	char mode[8] = "";

	if (c->rootfs >= 0)
		snprintf(mode, sizeof(mode), "%04o", c->mode);
	for (size_t i = 0; m && i < m->user_count; i++)
		json_array_append_new(users, json_text(m->users[i].name));
	for (size_t i = 0; i < c->findings.count && i < FINDINGS_MAX; i++)
		json_array_append_new(reasons, json_text(c->findings.lines[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, "
			 "s:o, s:o, s:o, s:o}",
			 "state", state, "path", json_text(c->absolute), "reasons", reasons, "mode",
			 json_text(*mode ? mode : NULL), "bytes",
			 c->sized ? json_integer((json_int_t)c->inspection.bytes) : json_null(),
			 "distribution", json_text(m ? m->distribution : NULL), "release",
			 json_text(m ? m->suite : NULL), "arch", json_text(m ? m->arch : NULL),
			 "profile", json_text(m ? m->profile : NULL), "users", users, "packages",
			 m ? json_integer((json_int_t)m->package_count) : json_null(),
			 "profile_changed", c->profile_changed, "created",
			 m ? json_integer((json_int_t)m->created) : json_null(), "generation",
			 m ? json_integer((json_int_t)m->generation) : json_null(), "changed",
			 m && m->changed ? json_integer((json_int_t)m->changed) : json_null(),
			 "upgraded",
			 m && fresh > m->created ? json_integer((json_int_t)fresh) : json_null(),
			 "age_days", m ? json_integer((json_int_t)days_since(fresh)) : json_null(),
			 "published", describe_published(c));
}

static int check_print_verdict(const struct check *c)
{
	const struct findings *f = &c->findings;

	if (c->json) {
		document_print(check_describe(c, f->count ? "not-ready" : "ready"));
		return f->count ? EXIT_FAILED : EXIT_OK;
	}
	if (f->count == 0) {
		style_print(stdout, STYLE_GOOD, "✓ Rootfs is configured and ready at %s\n\n",
			    c->absolute);
		check_print_facts(c);
		return EXIT_OK;
	}
	style_print(stdout, STYLE_BAD, "✗ Rootfs is not ready at %s\n\n", c->absolute);
	for (size_t i = 0; i < f->count && i < FINDINGS_MAX; i++)
		printf("  - %s\n", f->lines[i] ? f->lines[i] : "out of memory");
	if (f->count > FINDINGS_MAX)
		printf("  - and %zu more\n", f->count - FINDINGS_MAX);
	putchar('\n');
	check_print_facts(c);
	return EXIT_FAILED;
}

/* For check, a missing rootfs is a result and not an error. */
static int print_absence(struct check *c, const struct error *err)
{
	text_clean(err->message);
	if (!c->json) {
		style_print(stdout, STYLE_BAD, "✗ %s\n", err->message);
		return EXIT_FAILED;
	}
	if (!c->absolute && c->base)
		c->absolute = store_join(c->dir, c->base);
	findings_add(&c->findings, "%s", err->message);
	document_print(check_describe(c, err->code == ERR_MISSING ? "missing" : "foreign"));
	return EXIT_FAILED;
}

static int command_check(const struct parsed_line *line)
{
	_cleanup_(check_clear) struct check c = {
		.name = line_value(line, OPTION_NAME),
		.path = line_value(line, OPTION_PATH),
		.deep = line_has(line, OPTION_DEEP),
		.json = line_has(line, OPTION_JSON),
		.directory = -1,
		.rootfs = -1,
	};
	_cleanup_error_ struct error *err = NULL;
	int status;

	interrupt_catch();
	if (check_rootfs(&c, &err) == 0)
		return check_print_verdict(&c);
	if (err && (err->code == ERR_MISSING || err->code == ERR_REFUSED))
		return print_absence(&c, err);
	status = report_error("check", err);
	return c.json ? document_failure(err, status) : status;
}

const struct command check_command = {
	.name = "check",
	.summary = "check whether a rootfs is ready",
	.about = "Checks whether a rootfs is ready: its structure, release, size, users and groups "
		 "with their ids, its packages against the manifest, and its id range against the "
		 "host's.",
	.statuses = "0 ready; 1 not ready: prints each reason and how to fix it; 2 wrong command "
		    "line.",
	.rows = check_rows,
	.run = command_check,
};
