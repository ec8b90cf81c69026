#include "frontend/fstests/shell_conditions.h"

#include <fnmatch.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/fstests/shell_text.h"

/* Source: the table in doc/ and the cases of common/rc of fstests. Fewer than 31. */
static const char *const filesystems[] = {
	"xfs",	    "ext2",    "ext3",	"ext4",	  "btrfs", "f2fs",  "overlay",	"nfs",
	"cifs",	    "ceph",    "tmpfs", "ocfs2",  "udf",   "9p",    "gfs2",	"ubifs",
	"bcachefs", "exfat",   "vfat",	"nilfs2", "hfs",   "ntfs3", "virtiofs", "glusterfs",
	"reiserfs", "reiser4", "pvfs2", "fuse",	  "jfs",
};
#define FILESYSTEMS (sizeof(filesystems) / sizeof(*filesystems))
#define FILESYSTEM_OTHER (UINT32_C(1) << 31)

static const char variable[] = "FSTYP";

uint32_t filesystems_matching(const char *pattern)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < FILESYSTEMS; i++)
		if (fnmatch(pattern, filesystems[i], 0) == 0)
			bits |= UINT32_C(1) << i;
	if (strcmp(pattern, "*") == 0)
		return FILESYSTEMS_ALL;
	return bits ? bits : FILESYSTEM_OTHER;
}

const char *filesystems_name(uint32_t bits)
{
	for (size_t i = 0; i < FILESYSTEMS; i++)
		if (bits == UINT32_C(1) << i)
			return filesystems[i];
	return bits && !(bits & ~filesystems_matching("ext[234]")) ? "ext4" : NULL;
}

void shell_conditions_reset(struct shell_conditions *c)
{
	c->base = FILESYSTEMS_ALL;
	c->depth = 0;
}

static struct shell_condition *innermost_condition(struct shell_conditions *c)
{
	return c->depth && c->depth <= CONDITIONS_MAX ? &c->list[c->depth - 1] : NULL;
}

static uint32_t *current_filesystems(struct shell_conditions *c)
{
	size_t depth = c->depth < CONDITIONS_MAX ? c->depth : CONDITIONS_MAX;

	return depth ? &c->list[depth - 1].now : &c->base;
}

static struct shell_condition *begin_condition(struct shell_conditions *c)
{
	uint32_t outer = *current_filesystems(c);

	if (c->depth++ < CONDITIONS_MAX)
		c->list[c->depth - 1] = (struct shell_condition){ .now = outer, .outer = outer };
	return innermost_condition(c);
}

static void end_condition(struct shell_conditions *c)
{
	c->depth -= c->depth > 0;
}

/* The bits of a word, or of a regular expression such as "ext[234]$". */
static uint32_t bits_of_word(char *word)
{
	size_t length = strlen(word);

	if (length && word[length - 1] == '$')
		word[length - 1] = '\0';
	return filesystems_matching(word[0] == '^' ? word + 1 : word);
}

/* Reads the comparison with $FSTYP whose variable ends at AT. False if it is none. */
static bool read_comparison(const char *at, uint32_t *bits)
{
	char operator[SHELL_WORD_SIZE], word[SHELL_WORD_SIZE];

	at += strspn(at, "}\"");
	if (!shell_next_word(&at, operator) || !shell_next_word(&at, word))
		return false;
	*bits = bits_of_word(word);
	if (strcmp(operator, "!=") == 0)
		*bits = ~*bits;
	return strcmp(operator, "=") == 0 || strcmp(operator, "==") == 0 ||
	       strcmp(operator, "=~") == 0 || strcmp(operator, "!=") == 0;
}

/* The filesystems for which the condition in LINE, up to END, may be met. Sets ELSE_BITS to those
 * for which it may not be met. */
static uint32_t bits_of_test(const char *line, const char *end, uint32_t *else_bits)
{
	uint32_t bits = 0, one;
	bool any = false, only = true;

	for (const char *p = line; (p = strstr(p, variable)) && p < end; p += strlen(variable)) {
		if (p == line || !(p[-1] == '$' || (p[-1] == '{' && p - line > 1 && p[-2] == '$')))
			continue;
		if (!read_comparison(p + strlen(variable), &one))
			return *else_bits = FILESYSTEMS_ALL;
		bits = any ? bits | one : one;
		any = true;
	}
	for (const char *p = line; only && p + 1 < end; p++)
		only = strncmp(p, "&&", 2) != 0 && strncmp(p, "-a ", 3) != 0;
	*else_bits = any && only ? ~bits : FILESYSTEMS_ALL;
	return any ? bits : FILESYSTEMS_ALL;
}

static const char *end_of_condition(const char *line)
{
	const char *end = strstr(line, "; then");

	return end ? end : line + strlen(line);
}

static bool ends_with_word(const char *line, const char *word)
{
	size_t length = strlen(line), size = strlen(word);

	return length > size && strcmp(line + length - size, word) == 0 &&
	       strchr(" \t;", line[length - size - 1]);
}

static bool begins_with_word(const char *line, const char *word)
{
	size_t size = strlen(word);

	return strncmp(line, word, size) == 0 && (!line[size] || strchr(" \t;)|", line[size]));
}

static uint32_t take_if(struct shell_conditions *c, const char *line)
{
	uint32_t else_bits, bits = bits_of_test(line, end_of_condition(line), &else_bits);
	struct shell_condition *condition = begin_condition(c);

	if (condition) {
		condition->now = condition->outer & bits;
		condition->branches = ~else_bits;
		bits = condition->now;
	} else {
		bits = *current_filesystems(c);
	}
	if (ends_with_word(line, "fi"))
		end_condition(c);
	return bits;
}

static uint32_t take_else(struct shell_conditions *c, const char *line)
{
	struct shell_condition *condition = innermost_condition(c);
	uint32_t bits = FILESYSTEMS_ALL, else_bits = 0;

	if (!condition || condition->is_case)
		return *current_filesystems(c);
	if (text_has_prefix(line, "elif"))
		bits = bits_of_test(line, end_of_condition(line), &else_bits);
	condition->now = condition->outer & bits & ~condition->branches;
	condition->branches |= ~else_bits;
	return condition->now;
}

/* If LINE begins a branch of a case, where its pattern ends, else NULL. */
static const char *end_of_pattern(const char *line)
{
	const char *end = line + strcspn(line, ")($`;&");

	return *end == ')' && end != line ? end : NULL;
}

static uint32_t take_branch(struct shell_condition *condition, const char *line, const char *end)
{
	char words[SHELL_WORD_SIZE], *rest = NULL;
	uint32_t bits = 0;

	if (!condition->by_filesystem || (size_t)(end - line) >= sizeof(words))
		return condition->now = condition->outer;
	memcpy(words, line, (size_t)(end - line));
	words[end - line] = '\0';
	for (char *word = strtok_r(words, "|\" \t", &rest); word;
	     word = strtok_r(NULL, "|\" \t", &rest))
		bits |= filesystems_matching(word);
	bits &= ~condition->branches;
	condition->branches |= bits;
	return condition->now = condition->outer & bits;
}

/* A line such as: [ "$FSTYP" = xfs ] || return 0 */
static uint32_t take_command(struct shell_conditions *c, const char *line)
{
	const char *and = strstr(line, "&& "), * or = strstr(line, "|| ");
	const char *end = and&&(! or || and < or) ? and : or ;
	uint32_t bits, else_bits;

	if (!end || !(line[0] == '[' || begins_with_word(line, "test")))
		return *current_filesystems(c);
	bits = bits_of_test(line, end, &else_bits);
	if (end == or) {
		uint32_t swapped = bits;

		bits = else_bits;
		else_bits = swapped;
	}
	if (begins_with_word(end + 3, "return")) {
		*current_filesystems(c) &= else_bits;
		return *current_filesystems(c) | bits;
	}
	return *current_filesystems(c) & bits;
}

/* The filesystems that a test does not support: `_exclude_fs overlay`, `_supported_fs xfs`,
 * `_supported_fs ^xfs`. Older trees have only the latter two. */
static void take_support(struct shell_conditions *c, const char *line)
{
	bool exclude = begins_with_word(line, "_exclude_fs");
	const char *at = line + strcspn(line, " \t");
	char word[SHELL_WORD_SIZE];
	uint32_t bits = 0;

	if (!exclude && !begins_with_word(line, "_supported_fs"))
		return;
	while (shell_next_word(&at, word)) {
		exclude = exclude || word[0] == '^';
		if (strcmp(word, "generic") == 0)
			return;
		bits |= filesystems_matching(word[0] == '^' ? word + 1 : word);
	}
	if (bits)
		c->base &= exclude ? ~bits : bits;
}

uint32_t shell_conditions_take(struct shell_conditions *c, const char *line)
{
	struct shell_condition *condition = innermost_condition(c);
	const char *end = condition && condition->is_case ? end_of_pattern(line) : NULL;
	uint32_t bits;

	if (begins_with_word(line, "case")) {
		condition = begin_condition(c);
		if (condition) {
			condition->is_case = true;
			/* common/config calls it $fs, an argument. */
			condition->by_filesystem = strstr(line, variable) || strstr(line, "$fs");
		}
		bits = *current_filesystems(c);
		if (ends_with_word(line, "esac"))
			end_condition(c);
		return bits;
	}
	if (begins_with_word(line, "esac") || begins_with_word(line, "fi")) {
		end_condition(c);
		return *current_filesystems(c);
	}
	if (begins_with_word(line, "if"))
		return take_if(c, line);
	if (begins_with_word(line, "else") || begins_with_word(line, "elif"))
		return take_else(c, line);
	if (end)
		return take_branch(condition, line, end);
	take_support(c, line);
	return take_command(c, line);
}
