#include "helper/parser/fields.h"

#include <string.h>

#define OF_TEXT(of, check) .kind = FIELD_TEXT, .valid_text = (check)
#define OF_NUMBER(of, check) .kind = FIELD_NUMBER, .valid_number = (check)
#define OF_MODE(of, check) .kind = FIELD_NUMBER, .octal = true, .valid_number = (check)
#define OF_FLAG(of, check) .kind = FIELD_FLAG
#define OF_HASH(of, check) .kind = FIELD_HASH
#define OF_WORDS(of, check) .kind = FIELD_WORDS, .least = 1, .most = (of), .valid_text = (check)
#define OF_LIST(of, check) .kind = FIELD_WORDS, .most = (of), .valid_text = (check)
#define OF_COMMAND(of, check) .kind = FIELD_COMMAND, .least = 1, .most = (of), .valid_text = (check)
/* The name of a member cannot be in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define FIELD(request, kind, member, of, check, what)                                              \
	{ OF_##kind(of, check), .name = #member, .label = what "",                                 \
	  .offset = offsetof(struct task, request.member),                                         \
	  .size = sizeof(((struct task *)0)->request.member) },
/* NOLINTEND(bugprone-macro-parentheses) */
#define ROW(NAME, ...) [OP_##NAME] = (const struct field[]){ NAME##_FIELDS(FIELD){ 0 } },

static const struct field *const fields[OP_COUNT] = { [OP_NONE] = (const struct field[]){ { 0 } },
						      REQUESTS(ROW) };

const struct field *task_fields(uint32_t operation)
{
	return fields[operation < OP_COUNT ? operation : OP_NONE];
}

static int fields_check_words(const struct field *f, const struct words *words, struct error **err)
{
	if (!words_sound(words) || words->count < f->least || words->count > f->most)
		return error_set(err, ERR_INPUT, "request refused: wrong number of words in %s",
				 f->name);
	if (f->kind == FIELD_COMMAND && !*words->text)
		return error_set(err, ERR_INPUT, "request refused: invalid program name");
	for (const char *word = NULL; (word = words_next(words, word));)
		if (!f->valid_text(word))
			return error_set(err, ERR_INPUT, "request refused: invalid %s", f->label);
	return 0;
}

static int check_field(const struct field *f, const void *at, struct error **err)
{
	uint32_t number;
	bool good = true;

	switch (f->kind) {
	case FIELD_TEXT:
		good = memchr(at, '\0', f->size) && f->valid_text(at);
		break;
	case FIELD_NUMBER:
		memcpy(&number, at, sizeof(number));
		good = f->valid_number(number);
		break;
	case FIELD_WORDS:
	case FIELD_COMMAND:
		return fields_check_words(f, at, err);
	case FIELD_FLAG:
	case FIELD_HASH:
		break;
	}
	return good ? 0 : error_set(err, ERR_INPUT, "request refused: invalid %s", f->label);
}

int task_check(const struct task *t, struct error **err)
{
	if (t->operation == OP_NONE)
		return error_set(err, ERR_INPUT, "request refused: %.*s",
				 (int)strnlen(t->why, sizeof(t->why)), t->why);
	if (t->operation >= OP_COUNT)
		return error_set(err, ERR_INPUT, "request refused: unknown request");
	for (const struct field *f = task_fields(t->operation); f->name; f++)
		if (check_field(f, (const char *)t + f->offset, err) < 0)
			return -1;
	return 0;
}

/* If the words are malformed, only their number is shown. */
static void describe_words(FILE *out, const struct field *f, const struct words *words)
{
	const char *separator = "";

	if (!words_sound(words)) {
		fprintf(out, "(%u)", words->count);
		return;
	}
	for (const char *word = NULL; (word = words_next(words, word));) {
		fprintf(out, "%s%s", separator, word);
		separator = f->kind == FIELD_COMMAND ? " " : ",";
	}
}

static void describe_field(FILE *out, const struct field *f, const void *at)
{
	char hex[2 * SHA256_LEN + 1];
	uint32_t number;

	fprintf(out, "%s=", f->name);
	switch (f->kind) {
	case FIELD_TEXT:
		fprintf(out, "%.*s", (int)strnlen(at, f->size), (const char *)at);
		break;
	case FIELD_NUMBER:
		memcpy(&number, at, sizeof(number));
		fprintf(out, f->octal ? "%04o" : "%u", number);
		break;
	case FIELD_FLAG:
		fprintf(out, "%u", *(const uint8_t *)at);
		break;
	case FIELD_HASH:
		sha256_to_hex(at, hex);
		fputs(hex, out);
		break;
	case FIELD_WORDS:
	case FIELD_COMMAND:
		describe_words(out, f, at);
		break;
	}
	fputc(' ', out);
}

void task_describe(const struct task *t, const char *dirs, char *into, size_t size)
{
	FILE *out = fmemopen(into, size, "w");
	size_t length;

	snprintf(into, size, "%s", out ? "" : "(out of memory)");
	if (!out)
		return;
	fputs(dirs, out);
	for (const struct field *f = task_fields(t->operation); f->name; f++)
		describe_field(out, f, (const char *)t + f->offset);
	if (fclose(out) != 0)
		memcpy(into + size - 4, "...", 4);
	length = strlen(into);
	if (length && into[length - 1] == ' ')
		into[length - 1] = '\0';
}
