#include "frontend/contents.h"

#include <grp.h>
#include <pwd.h>
#include <search.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/tree.h"

#define TEXT_MAX (1024 * 1024)
#define DPKG_STATUS "var/lib/dpkg/status"
#define DPKG_STATUS_MAX (32 * 1024 * 1024)
#define NAMED_PACKAGES 5 /* differences that are named before the rest is counted */

static char *read_or_find(int tree, const char *path, size_t most, struct findings *f)
{
	_cleanup_error_ struct error *err = NULL;
	char *text = tree_read(tree, path, most, NULL, &err);

	/* What is not there at all, the structure's check has found. */
	if (!text && !(err && err->code == ERR_MISSING))
		findings_add_anew(f, "%s", err ? err->message : "out of memory");
	return text;
}

void contents_check_structure(int tree, struct findings *f)
{
	static const struct {
		const char *path;
		mode_t type;
	} wanted[] = {
		{ "usr", S_IFDIR },
		{ "etc", S_IFDIR },
		{ "var", S_IFDIR },
		{ "dev", S_IFDIR },
		{ "proc", S_IFDIR },
		{ "sys", S_IFDIR },
		{ "tmp", S_IFDIR },
		{ "run", S_IFDIR },
		{ "root", S_IFDIR },
		{ "home", S_IFDIR },
		{ "bin/sh", S_IFREG },
		{ "bin/mount", S_IFREG },
		{ "usr/bin/env", S_IFREG },
		{ "usr/bin/dpkg", S_IFREG },
		{ "etc/passwd", S_IFREG },
		{ "etc/group", S_IFREG },
		{ "etc/shadow", S_IFREG },
		{ "etc/hosts", S_IFREG },
		{ "etc/os-release", S_IFREG },
		{ DPKG_STATUS, S_IFREG },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!tree_has(tree, wanted[i].path, wanted[i].type))
			findings_add_anew(f, "/%s is missing", wanted[i].path);
}

/* The value of KEY in os-release(5), unquoted, in place; NULL where it is not there. */
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

void contents_check_release(int tree, const struct manifest *m, struct findings *f)
{
	_cleanup_free_ char *text = read_or_find(tree, "etc/os-release", TEXT_MAX, f);
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

void contents_check_accounts(int tree, const struct account *users, size_t user_count,
			     const struct account_group *groups, size_t group_count,
			     struct findings *f)
{
	_cleanup_free_ char *passwd = read_or_find(tree, "etc/passwd", TEXT_MAX, f);
	_cleanup_free_ char *group = read_or_find(tree, "etc/group", TEXT_MAX, f);

	if (!passwd || !group)
		return;
	for (size_t i = 0; i < group_count; i++)
		check_group(group, &groups[i], f);
	for (size_t i = 0; i < user_count; i++) {
		check_user(passwd, &users[i], f);
		if (!tree_has(tree, users[i].home, S_IFDIR))
			findings_add_anew(f, "%s, the home of user %s, is missing", users[i].home,
					  users[i].name);
		for (size_t j = 0; j < users[i].group_count; j++)
			if (!is_member(group, users[i].groups[j], users[i].name))
				findings_add_anew(f, "user %s is not in group %s", users[i].name,
						  users[i].groups[j]);
	}
}

/* One paragraph of dpkg's status file, cut into its lines; fields that matter here. */
struct paragraph {
	const char *package, *status, *version;
};

/* Cuts the next paragraph off *REST; false at the end. */
static bool next_paragraph(char **rest, struct paragraph *p)
{
	*p = (struct paragraph){ 0 };
	while (**rest == '\n')
		(*rest)++;
	if (!**rest)
		return false;
	while (**rest && **rest != '\n') {
		char *line = *rest, *end = line + strcspn(line, "\n");

		*rest = *end ? end + 1 : end;
		*end = '\0';
		if (strncmp(line, "Package: ", 9) == 0)
			p->package = line + 9;
		else if (strncmp(line, "Status: ", 8) == 0)
			p->status = line + 8;
		else if (strncmp(line, "Version: ", 9) == 0)
			p->version = line + 9;
	}
	return true;
}

/* Sets FOUND[i] to the version that is installed of the manifest's package i. */
static void find_installed(char *status, const struct manifest *m, const char **found)
{
	struct hsearch_data table = { 0 };
	struct paragraph p;
	ENTRY *hit;

	if (!hcreate_r(m->package_count * 2 + 1, &table))
		return;
	for (size_t i = 0; i < m->package_count; i++)
		hsearch_r((ENTRY){ .key = m->packages[i].name, .data = &found[i] }, ENTER, &hit,
			  &table);
	while (next_paragraph(&status, &p)) {
		ENTRY key = { .key = (char *)(uintptr_t)p.package };

		if (p.package && p.version && p.status &&
		    strcmp(p.status + strcspn(p.status, " "), " ok installed") == 0 &&
		    hsearch_r(key, FIND, &hit, &table))
			*(const char **)hit->data = p.version;
	}
	hdestroy_r(&table);
}

void contents_check_packages(int tree, const struct manifest *m, struct findings *f)
{
	_cleanup_free_ char *status = read_or_find(tree, DPKG_STATUS, DPKG_STATUS_MAX, f);
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
		findings_add_anew(f, "%zu further packages differ from the manifest",
				  different - NAMED_PACKAGES);
}
