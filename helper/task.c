#include "helper/task.h"

#include <stdarg.h>
#include <string.h>

static bool ends(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

#define TEXT(field) (int)strnlen((field), sizeof(field)), (field)
#define FIELD(field, valid) (ends((field), sizeof(field)) && valid(field))
#define REFUSE_UNLESS(condition, what)                                                             \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return error_set(err, ERR_INPUT, "request refused: wrong " what);          \
	} while (0)

static bool valid_pocket(const char *s)
{
	return !*s || strcmp(s, "updates") == 0 || strcmp(s, "security") == 0;
}

/* Nothing, or a URL in printable ASCII without blanks: it becomes part of a key. */
static bool valid_place(const char *s)
{
	static const char *const schemes[] = { "http://", "https://", "file:///" };
	bool known = !*s;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		known = known || strncmp(s, schemes[i], strlen(schemes[i])) == 0;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return known;
}

static bool valid_user_or_root(const char *s)
{
	return strcmp(s, "root") == 0 || valid_account_name(s);
}

static int check_engine(const struct task *t, struct error **err)
{
	const struct filters *filters = &t->begin.filters;

	REFUSE_UNLESS(FIELD(t->begin.engine, valid_archive_word) &&
			      (strcmp(t->begin.engine, "native") == 0 ||
			       strcmp(t->begin.engine, "debootstrap") == 0),
		      "engine");
	REFUSE_UNLESS(filters->count <= FILTERS_MAX, "number of patterns");
	for (uint32_t i = 0; i < filters->count; i++)
		REFUSE_UNLESS(FIELD(filters->list[i].pattern, valid_filter_pattern), "pattern");
	return 0;
}

static int check_user(const struct task *t, struct error **err)
{
	REFUSE_UNLESS(FIELD(t->user.name, valid_account_name), "user name");
	REFUSE_UNLESS(valid_account_id(t->user.uid), "user id");
	REFUSE_UNLESS(valid_account_id(t->user.gid), "group id");
	REFUSE_UNLESS(FIELD(t->user.home, valid_inner_path), "home directory");
	REFUSE_UNLESS(FIELD(t->user.shell, valid_inner_path), "shell");
	REFUSE_UNLESS(t->user.group_count <= GROUPS_MAX, "number of groups");
	for (uint32_t i = 0; i < t->user.group_count; i++)
		REFUSE_UNLESS(FIELD(t->user.groups[i], valid_account_name), "group name");
	return 0;
}

static int check_execute(const struct task *t, struct error **err)
{
	uint32_t words = 0;

	REFUSE_UNLESS(FIELD(t->execute.user, valid_user_or_root), "user name");
	REFUSE_UNLESS(t->execute.argc >= 1 && t->execute.argc <= ARGV_MAX, "number of words");
	REFUSE_UNLESS(t->execute.bytes >= 1 && t->execute.bytes <= ARGV_BYTES_MAX &&
			      t->execute.words[t->execute.bytes - 1] == '\0',
		      "length of the command");
	for (uint32_t i = 0; i < t->execute.bytes; i++)
		words += t->execute.words[i] == '\0';
	REFUSE_UNLESS(words == t->execute.argc && t->execute.words[0], "command");
	return 0;
}

static int check_find(const struct task *t, struct error **err)
{
	REFUSE_UNLESS(t->find.count >= 1 && t->find.count <= FIND_MAX, "number of paths");
	for (uint32_t i = 0; i < t->find.count; i++)
		REFUSE_UNLESS(FIELD(t->find.paths[i], valid_inner_path), "path");
	return 0;
}

int task_check(const struct task *t, struct error **err)
{
	switch (t->operation) {
	case OP_NONE:
		return error_set(err, ERR_INPUT, "request refused: %.*s", TEXT(t->none.why));
	case OP_HELLO:
	case OP_BOOTSTRAP:
	case OP_INSPECT:
	case OP_OPEN:
	case OP_OPEN_NAMESPACE:
	case OP_VERIFY:
		return 0;
	case OP_CLONE:
		REFUSE_UNLESS(FIELD(t->clone.name, valid_rootfs_name), "rootfs name");
		REFUSE_UNLESS(FIELD(t->clone.base, valid_rootfs_name), "base name");
		return 0;
	case OP_KEEP:
		REFUSE_UNLESS(FIELD(t->keep.name, valid_rootfs_name), "base name");
		return 0;
	case OP_BEGIN:
		REFUSE_UNLESS(FIELD(t->begin.name, valid_rootfs_name), "rootfs name");
		REFUSE_UNLESS(FIELD(t->begin.suite, valid_archive_word), "suite");
		REFUSE_UNLESS(FIELD(t->begin.arch, valid_archive_word), "architecture");
		return check_engine(t, err);
	case OP_RELEASE:
		REFUSE_UNLESS(FIELD(t->release.pocket, valid_pocket), "pocket");
		REFUSE_UNLESS(FIELD(t->release.mirror, valid_place), "mirror");
		return 0;
	case OP_CHECK_RELEASE:
		REFUSE_UNLESS(FIELD(t->release.suite, valid_archive_word), "suite");
		REFUSE_UNLESS(FIELD(t->release.pocket, valid_pocket), "pocket");
		REFUSE_UNLESS(FIELD(t->release.mirror, valid_place), "mirror");
		return 0;
	case OP_INDEX:
		REFUSE_UNLESS(FIELD(t->index.pocket, valid_pocket), "pocket");
		REFUSE_UNLESS(FIELD(t->index.component, valid_archive_word), "component");
		return 0;
	case OP_PACKAGE:
		REFUSE_UNLESS(FIELD(t->package.name, valid_package_name), "package name");
		return 0;
	case OP_ADD_GROUP:
		REFUSE_UNLESS(FIELD(t->group.name, valid_account_name), "group name");
		REFUSE_UNLESS(valid_account_id(t->group.gid), "group id");
		return 0;
	case OP_ADD_USER:
		return check_user(t, err);
	case OP_REMOVE:
		REFUSE_UNLESS(FIELD(t->remove.name, valid_rootfs_name), "rootfs name");
		return 0;
	case OP_BUILD_IMAGE:
		REFUSE_UNLESS(FIELD(t->image.format, valid_archive_word), "image format");
		return 0;
	case OP_PUBLISH:
		REFUSE_UNLESS(valid_tree_mode(t->publish.mode), "mode");
		return 0;
	case OP_READ:
		REFUSE_UNLESS(FIELD(t->read.file, valid_archive_word), "name of a file");
		return 0;
	case OP_FIND:
		return check_find(t, err);
	case OP_EXECUTE:
		return check_execute(t, err);
	}
	return error_set(err, ERR_INPUT, "request refused: it is of an unknown kind");
}

/* Text that is cut at the end of its room, and then ends in "...". */
struct description {
	char *into;
	size_t size, used;
	bool cut;
};

static void add(struct description *d, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct description *d, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(d->into + d->used, d->size - d->used, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	d->cut = d->cut || (size_t)n >= d->size - d->used;
	d->used += (size_t)n < d->size - d->used ? (size_t)n : d->size - d->used - 1;
}

static void describe_begin(struct description *d, const struct task *t)
{
	const struct filters *filters = &t->begin.filters;

	add(d, "name=%.*s suite=%.*s arch=%.*s engine=%.*s", TEXT(t->begin.name),
	    TEXT(t->begin.suite), TEXT(t->begin.arch), TEXT(t->begin.engine));
	for (uint32_t i = 0; i < filters->count && i < FILTERS_MAX; i++)
		add(d, " %s=%.*s", filters->list[i].include ? "include" : "exclude",
		    TEXT(filters->list[i].pattern));
}

static void describe_user(struct description *d, const struct task *t)
{
	add(d, "name=%.*s uid=%u gid=%u home=%.*s shell=%.*s", TEXT(t->user.name), t->user.uid,
	    t->user.gid, TEXT(t->user.home), TEXT(t->user.shell));
	for (uint32_t i = 0; i < t->user.group_count && i < GROUPS_MAX; i++)
		add(d, "%s%.*s", i ? "," : " groups=", TEXT(t->user.groups[i]));
}

static void describe_command(struct description *d, const struct task *t)
{
	size_t length = t->execute.bytes < ARGV_BYTES_MAX ? t->execute.bytes : ARGV_BYTES_MAX;

	add(d, "user=%.*s terminal=%d command=", TEXT(t->execute.user), t->execute.terminal);
	for (size_t i = 0; i + 1 < length && !d->cut; i++)
		add(d, "%c", t->execute.words[i] ? t->execute.words[i] : ' ');
}

static void describe(struct description *d, const struct task *t)
{
	char hex[2 * SHA256_LEN + 1];

	switch (t->operation) {
	case OP_HELLO:
		add(d, "version=%u", t->hello.version);
		break;
	case OP_BEGIN:
		describe_begin(d, t);
		break;
	case OP_RELEASE:
		add(d, "pocket=%.*s mirror=%.*s%s", TEXT(t->release.pocket),
		    TEXT(t->release.mirror), t->release.older ? " older=1" : "");
		break;
	case OP_CHECK_RELEASE:
		add(d, "suite=%.*s pocket=%.*s mirror=%.*s%s", TEXT(t->release.suite),
		    TEXT(t->release.pocket), TEXT(t->release.mirror),
		    t->release.older ? " older=1" : "");
		break;
	case OP_INDEX:
		add(d, "pocket=%.*s component=%.*s", TEXT(t->index.pocket),
		    TEXT(t->index.component));
		break;
	case OP_PACKAGE:
		sha256_to_hex(t->package.sha256, hex);
		add(d, "name=%.*s sha256=%s", TEXT(t->package.name), hex);
		break;
	case OP_ADD_GROUP:
		add(d, "name=%.*s gid=%u", TEXT(t->group.name), t->group.gid);
		break;
	case OP_ADD_USER:
		describe_user(d, t);
		break;
	case OP_PUBLISH:
		add(d, "replace=%d mode=%04o", t->publish.replace, t->publish.mode);
		break;
	case OP_INSPECT:
		add(d, "deep=%d", t->inspect.deep);
		if (t->inspect.digest)
			add(d, " digest=1");
		break;
	case OP_REMOVE:
		add(d, "name=%.*s stale=%d", TEXT(t->remove.name), t->remove.stale);
		break;
	case OP_CLONE:
		add(d, "name=%.*s base=%.*s", TEXT(t->clone.name), TEXT(t->clone.base));
		break;
	case OP_KEEP:
		add(d, "name=%.*s", TEXT(t->keep.name));
		break;
	case OP_BUILD_IMAGE:
		add(d, "format=%.*s", TEXT(t->image.format));
		break;
	case OP_READ:
		add(d, "file=%.*s", TEXT(t->read.file));
		break;
	case OP_FIND:
		for (uint32_t i = 0; i < t->find.count && i < FIND_MAX; i++)
			add(d, "%s%.*s", i ? "," : "paths=", TEXT(t->find.paths[i]));
		break;
	case OP_EXECUTE:
		describe_command(d, t);
		break;
	}
}

void task_describe(const struct task *t, const char *folders, char *into, size_t size)
{
	struct description d = { .into = into, .size = size };

	into[0] = '\0';
	add(&d, "%s", folders);
	describe(&d, t);
	if (d.used && into[d.used - 1] == ' ' && !d.cut)
		into[d.used - 1] = '\0';
	if (d.cut)
		memcpy(into + size - 4, "...", 4);
}

int note_send(int channel, const struct note *note, int fd)
{
	return packet_send(channel, note, sizeof(*note), &fd, fd >= 0, NULL);
}

void note_progress(int channel, const char *stage, uint64_t done, uint64_t total)
{
	struct note note = { .kind = NOTE_PROGRESS, .progress = { done, total } };

	snprintf(note.text, sizeof(note.text), "%s", stage);
	note_send(channel, &note, -1);
}

void note_set_error(struct note *note, const struct error *error)
{
	note->code = error ? error->code : ERR_SPACE;
	note->number = error ? error->number : 0;
	snprintf(note->text, sizeof(note->text), "%s",
		 error && error->message ? error->message : "out of memory");
}

void note_result(int channel, const struct error *error, int status)
{
	struct note note = { .kind = NOTE_RESULT, .status = status };

	if (error)
		note_set_error(&note, error);
	note_send(channel, &note, -1);
}

int note_error(struct note *note, struct error **err)
{
	if (note->code == ERR_NONE)
		return 0;
	note->text[sizeof(note->text) - 1] = '\0';
	return error_set(err, note->code <= ERR_LAST ? note->code : ERR_SYSTEM, "%s", note->text);
}
