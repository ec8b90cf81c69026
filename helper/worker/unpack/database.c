/* Writes dpkg's database for packages that dpkg does not know yet. Formats: deb-control(5),
 * deb-triggers(5), and what dpkg itself writes. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/worker/entries.h"
#include "helper/worker/unpack/database.h"

#define DPKG "var/lib/dpkg"
#define MEMBER_MAX (16 << 20)

/* Handles a line of a member of PACKAGE's control archive. Returns 0, or -1 with ERR set. */
typedef int line_visitor(const struct unpacked_package *p, const struct layout *layout, char *line,
			 void *context, struct error **err);

static int each_line(const struct unpacked_package *p, const struct layout *layout,
		     const char *kind, line_visitor *visit, void *context, struct error **err)
{
	_cleanup_close_ int info = tree_open_beneath(layout->tree, DPKG_INFO, O_PATH, 0);
	char name[PACKAGE_NAME_MAX + SUITE_MAX + 2], file[sizeof(name) + 16];
	_cleanup_free_ char *text = NULL;
	char *rest = NULL, *line;
	size_t size;

	package_database_name(p, layout, name, sizeof(name));
	snprintf(file, sizeof(file), "%s.%s", name, kind);
	text = tree_read_file(info, file, MEMBER_MAX, &size);
	if (!text)
		return errno == ENOENT ? 0 : error_errno(err, ERR_SYSTEM, "cannot read %s", file);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (visit(p, layout, line, context, err) < 0)
			return -1;
	return 0;
}

/* --- status --- */

struct status {
	FILE *file;
	bool any; /* this package has a conffile */
};

static int write_conffile(const struct unpacked_package *p, const struct layout *layout, char *line,
			  void *context, struct error **err)
{
	struct status *s = context;

	(void)p;
	(void)layout;
	(void)err;
	fprintf(s->file, "%s %s newconffile\n", s->any ? "" : "Conffiles:\n", line);
	s->any = true;
	return 0;
}

static int database_write_stanza(const struct unpacked_package *p, const struct layout *layout,
				 FILE *f, struct error **err)
{
	struct status s = { .file = f };
	size_t size = p->control_size;

	while (size > 0 && p->control[size - 1] == '\n')
		size--;
	fwrite(p->control, 1, size, f);
	fputs("\nStatus: install ok unpacked\n", f);
	if (each_line(p, layout, "conffiles", write_conffile, &s, err) < 0)
		return -1;
	fputs("\n", f);
	return 0;
}

/* Creates NAME in the directory, replacing its content, and returns a stream to it. */
static FILE *database_create(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int write_status(const struct unpack_plan *plan, const struct layout *layout, int dir,
			struct error **err)
{
	_cleanup_fclose_ FILE *f = database_create(dir, "status");

	for (size_t i = 0; f && i < plan->count; i++)
		if (plan->packages[i].state != PACKAGE_KEPT &&
		    database_write_stanza(&plan->packages[i], layout, f, err) < 0)
			return -1;
	if (!f || fflush(f) != 0)
		return error_errno(err, ERR_SYSTEM, "cannot write dpkg's status");
	return 0;
}

/* --- triggers --- */

struct triggers {
	int dir;
	FILE *paths; /* the file "File" */
};

/* A line such as "interest-noawait /usr/share/man" names a path that the package watches. */
static int write_interest(const struct unpacked_package *p, const struct layout *layout, char *line,
			  void *context, struct error **err)
{
	struct triggers *t = context;
	char name[PACKAGE_NAME_MAX + SUITE_MAX + 2];
	char *rest = NULL, *directive = strtok_r(line, " \t", &rest);
	const char *trigger = strtok_r(NULL, " \t#", &rest), *suffix = "";
	_cleanup_fclose_ FILE *f = NULL;
	int fd;

	if (!directive || strncmp(directive, "interest", 8) != 0 || !trigger)
		return 0;
	if (strcmp(directive, "interest-noawait") == 0)
		suffix = "/noawait";
	package_database_name(p, layout, name, sizeof(name));
	if (trigger[0] == '/') {
		fprintf(t->paths, "%s %s%s\n", trigger, name, suffix);
		return 0;
	}
	if (!valid_package_name(trigger))
		return error_set(err, ERR_PACKAGE, "package %s: malformed name of a trigger",
				 p->name);
	fd = openat(t->dir, trigger, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "a");
	if (!f || fprintf(f, "%s%s\n", name, suffix) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write dpkg's trigger %s", trigger);
	return 0;
}

static int write_triggers(const struct unpack_plan *plan, const struct layout *layout,
			  struct error **err)
{
	_cleanup_close_ int dir = tree_make_dirs(layout->tree, DPKG "/triggers");
	_cleanup_fclose_ FILE *paths = dir < 0 ? NULL : database_create(dir, "File");
	struct triggers t = { .dir = dir, .paths = paths };

	for (size_t i = 0; paths && i < plan->count; i++)
		if (plan->packages[i].state != PACKAGE_KEPT &&
		    each_line(&plan->packages[i], layout, "triggers", write_interest, &t, err) < 0)
			return -1;
	if (!paths || fflush(paths) != 0)
		return error_errno(err, ERR_SYSTEM, "cannot write dpkg's triggers");
	return 0;
}

/* --- conffiles --- */

/* Until base packages are configured, the scripts of other packages need their conffiles as well,
 * such as debconf's. dpkg finds them identical to its own. */
static int place_conffile(const struct unpacked_package *p, const struct layout *layout, char *line,
			  void *context, struct error **err)
{
	char from[PATH_LENGTH_MAX];
	_cleanup_close_ int in = -1, out = -1;
	struct stat st;

	(void)context;
	if (line[0] != '/' ||
	    snprintf(from, sizeof(from), "%s.dpkg-new", line + 1) >= (int)sizeof(from))
		return error_set(err, ERR_PACKAGE, "package %s: malformed conffiles", p->name);
	in = tree_open_beneath(layout->tree, from, O_RDONLY, 0);
	if (in < 0 && errno == ENOENT)
		return 0;
	if (in >= 0)
		out = tree_open_beneath(layout->tree, line + 1, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (out < 0 && errno == EEXIST)
		return 0;
	if (out < 0 || fstat(in, &st) < 0 || tree_copy_data(in, out, st.st_size) < 0 ||
	    fchown(out, st.st_uid, st.st_gid) < 0 || fchmod(out, st.st_mode & 07777) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot put %.200s in place", line);
	return 0;
}

static int place_conffiles(const struct unpack_plan *plan, const struct layout *layout,
			   struct error **err)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->packages[i].base && each_line(&plan->packages[i], layout, "conffiles",
							place_conffile, NULL, err) < 0)
			return -1;
	return 0;
}

/* --- all of it --- */

static int write_constant(int dir, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *f = database_create(dir, name);

	return !f || fputs(text, f) == EOF || fflush(f) != 0 ? -1 : 0;
}

int database_write(const struct unpack_plan *plan, const struct layout *layout, struct error **err)
{
	_cleanup_close_ int dir = tree_make_dirs(layout->tree, DPKG);
	_cleanup_close_ int info = tree_make_dirs(layout->tree, DPKG_INFO);
	_cleanup_close_ int updates = tree_make_dirs(layout->tree, DPKG "/updates");

	if (dir < 0 || info < 0 || updates < 0 || write_constant(info, "format", "1\n") < 0 ||
	    write_constant(dir, "available", "") < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make dpkg's database");
	if (write_triggers(plan, layout, err) < 0 || place_conffiles(plan, layout, err) < 0)
		return -1;
	return write_status(plan, layout, dir, err);
}
