#include "frontend/rootfs/contents.h"

#include <grp.h>
#include <pwd.h>
#include <search.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/client/view.h"
#include "lib/deb822.h"

#define NAMED_PACKAGES 5 /* differences listed by name; the rest is only counted */

static char *read_or_find(struct helper *h, int rootfs, const char *file, struct findings *f)
{
	_cleanup_error_ struct error *err = NULL;
	char *text = view_read(h, rootfs, file, NULL, &err);

	/* contents_check_structure() reports missing files. */
	if (!text && !(err && err->code == ERR_MISSING))
		findings_add_anew(f, "%s", error_text(err));
	return text;
}

void contents_check_structure(struct helper *h, int rootfs, struct findings *f)
{
	static const struct {
		const char *path;
		char kind; /* as in view_find() */
	} wanted[] = {
		{ "/usr", 'd' },
		{ "/etc", 'd' },
		{ "/var", 'd' },
		{ "/dev", 'd' },
		{ "/proc", 'd' },
		{ "/sys", 'd' },
		{ "/tmp", 'd' },
		{ "/run", 'd' },
		{ "/root", 'd' },
		{ "/home", 'd' },
		{ "/bin/sh", 'f' },
		{ "/bin/mount", 'f' },
		{ "/usr/bin/env", 'f' },
		{ "/usr/bin/dpkg", 'f' },
		{ "/etc/passwd", 'f' },
		{ "/etc/group", 'f' },
		{ "/etc/shadow", 'f' },
		{ "/etc/hosts", 'f' },
		{ "/etc/os-release", 'f' },
		{ "/var/lib/dpkg/status", 'f' },
	};
	enum { COUNT = sizeof(wanted) / sizeof(*wanted) };
	_cleanup_error_ struct error *err = NULL;
	const char *paths[COUNT];
	char kinds[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		paths[i] = wanted[i].path;
	if (view_find(h, rootfs, paths, COUNT, kinds, &err) < 0) {
		findings_add(f, "%s", error_text(err));
		return;
	}
	for (size_t i = 0; i < COUNT; i++)
		if (kinds[i] != wanted[i].kind)
			findings_add_anew(f, "%s is missing", paths[i]);
}

/* The value of KEY in os-release(5), unquoted in place; NULL if it is missing. */
static const char *os_release_value(char *text, const char *key)
{
	size_t length = strlen(key);
	char *rest = NULL, *line;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t n = strlen(line);

		if (strncmp(line, key, length) != 0 || line[length] != '=')
			continue;
		line += length + 1;
		n -= length + 1;
		if (n >= 2 && (line[0] == '"' || line[0] == '\'') && line[n - 1] == line[0]) {
			line[n - 1] = '\0';
			line++;
		}
		return line;
	}
	return NULL;
}

void contents_check_release(struct helper *h, int rootfs, const struct manifest *m,
			    struct findings *f)
{
	_cleanup_free_ char *text = read_or_find(h, rootfs, "os-release", f);
	const char *codename = text ? os_release_value(text, "VERSION_CODENAME") : NULL;

	if (text && (!codename || strcmp(codename, m->suite) != 0))
		findings_add_anew(f, "/etc/os-release says release \"%.48s\", the manifest says %s",
				  codename ? codename : "", m->suite);
}

static void check_group(char *text, const struct account_group *want, struct findings *f)
{
	_cleanup_fclose_ FILE *file = fmemopen(text, strlen(text), "r");
	const struct group *group;

	while (file && (group = fgetgrent(file)))
		if (strcmp(group->gr_name, want->name) == 0) {
			if (group->gr_gid != want->gid)
				findings_add_anew(f, "group %s has gid %u instead of %u",
						  want->name, (unsigned)group->gr_gid, want->gid);
			return;
		}
	findings_add_anew(f, "group %s (gid %u) is missing", want->name, want->gid);
}

static bool is_member(char *text, const char *name, const char *user)
{
	_cleanup_fclose_ FILE *file = fmemopen(text, strlen(text), "r");
	const struct group *group;

	while (file && (group = fgetgrent(file)))
		if (strcmp(group->gr_name, name) == 0)
			for (char **member = group->gr_mem; *member; member++)
				if (strcmp(*member, user) == 0)
					return true;
	return false;
}

static void check_user(char *text, const struct account *want, struct findings *f)
{
	_cleanup_fclose_ FILE *file = fmemopen(text, strlen(text), "r");
	const struct passwd *user;

	while (file && (user = fgetpwent(file))) {
		if (strcmp(user->pw_name, want->name) != 0)
			continue;
		if (user->pw_uid != want->uid || user->pw_gid != want->gid)
			findings_add_anew(f, "user %s has uid %u and gid %u instead of %u and %u",
					  want->name, (unsigned)user->pw_uid,
					  (unsigned)user->pw_gid, want->uid, want->gid);
		if (strcmp(user->pw_dir, want->home) != 0 ||
		    strcmp(user->pw_shell, want->shell) != 0)
			findings_add_anew(
				f, "user %s has home %s and shell %s instead of %s and %s",
				want->name, user->pw_dir, user->pw_shell, want->home, want->shell);
		return;
	}
	findings_add_anew(f, "user %s (uid %u) is missing", want->name, want->uid);
}

/* The type of each user's home, as in view_find(); the caller frees it. NULL after adding a finding
 * that says why. */
static char *find_homes(struct helper *h, int rootfs, const struct account *users, size_t count,
			struct findings *f)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ const char **paths = calloc(count + 1, sizeof(*paths));
	char *kinds = malloc(count + 1);

	for (size_t i = 0; paths && i < count; i++)
		paths[i] = users[i].home;
	if (paths && kinds && view_find(h, rootfs, paths, count, kinds, &err) == 0)
		return kinds;
	findings_add(f, "%s", error_text(err));
	free(kinds);
	return NULL;
}

void contents_check_accounts(struct helper *h, int rootfs, const struct account *users,
			     size_t user_count, const struct account_group *groups,
			     size_t group_count, struct findings *f)
{
	_cleanup_free_ char *passwd = read_or_find(h, rootfs, "passwd", f);
	_cleanup_free_ char *group = read_or_find(h, rootfs, "group", f);
	_cleanup_free_ char *homes = NULL;

	if (!passwd || !group)
		return;
	homes = find_homes(h, rootfs, users, user_count, f);
	if (!homes)
		return;
	for (size_t i = 0; i < group_count; i++)
		check_group(group, &groups[i], f);
	for (size_t i = 0; i < user_count; i++) {
		check_user(passwd, &users[i], f);
		if (homes[i] != 'd')
			findings_add_anew(f, "%s, the home of user %s, is missing", users[i].home,
					  users[i].name);
		for (size_t j = 0; j < users[i].group_count; j++)
			if (!is_member(group, users[i].groups[j], users[i].name))
				findings_add_anew(f, "user %s is not in group %s", users[i].name,
						  users[i].groups[j]);
	}
}

/* The fields of a stanza of dpkg's status file that matter here. */
struct installed {
	char *package, *status, *version;
};

/* Reads the next stanza and terminates its fields in place; false at the end. */
static bool next_installed(const char **at, const char *end, struct installed *p)
{
	static const char *const names[] = { "Package", "Status", "Version" };
	char **const fields[] = { &p->package, &p->status, &p->version };
	size_t length, sizes[3];
	const char *stanza = stanza_next(at, end, &length);

	for (size_t i = 0; stanza && i < 3; i++)
		*fields[i] = (char *)(uintptr_t)stanza_field(stanza, length, names[i], &sizes[i]);
	for (size_t i = 0; stanza && i < 3; i++)
		if (*fields[i])
			(*fields[i])[sizes[i]] = '\0';
	return stanza;
}

/* Sets FOUND[i] to the installed version of the manifest's package i. */
static void find_installed(char *status, const struct manifest *m, const char **found)
{
	struct hsearch_data table = { 0 };
	const char *at = status, *end = at + strlen(at);
	struct installed p;
	ENTRY *hit;

	if (!hcreate_r(m->package_count * 2 + 1, &table))
		return;
	for (size_t i = 0; i < m->package_count; i++)
		hsearch_r((ENTRY){ .key = m->packages[i].name, .data = &found[i] }, ENTER, &hit,
			  &table);
	while (next_installed(&at, end, &p)) {
		ENTRY key = { .key = p.package };

		if (p.package && p.version && p.status &&
		    strcmp(p.status + strcspn(p.status, " "), " ok installed") == 0 &&
		    hsearch_r(key, FIND, &hit, &table))
			*(const char **)hit->data = p.version;
	}
	hdestroy_r(&table);
}

void contents_check_packages(struct helper *h, int rootfs, const struct manifest *m,
			     struct findings *f)
{
	_cleanup_free_ char *status = read_or_find(h, rootfs, "dpkg-status", f);
	_cleanup_free_ const char **found = calloc(m->package_count + 1, sizeof(*found));
	size_t different = 0;

	if (!status || !found)
		return;
	find_installed(status, m, found);
	for (size_t i = 0; i < m->package_count; i++) {
		const struct manifest_package *want = &m->packages[i];

		if (found[i] && strcmp(found[i], want->version) == 0)
			continue;
		if (++different > NAMED_PACKAGES)
			continue;
		if (found[i])
			findings_add_anew(f, "package %s has version %.80s instead of %s",
					  want->name, found[i], want->version);
		else
			findings_add_anew(f, "package %s (%s) is not installed", want->name,
					  want->version);
	}
	if (different > NAMED_PACKAGES)
		findings_add_anew(f, "%zu more packages differ from the manifest",
				  different - NAMED_PACKAGES);
}
