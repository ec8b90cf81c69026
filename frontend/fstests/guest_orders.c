#include "frontend/fstests/guest_orders.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "frontend/cli/text.h"
#include "lib/cleanup.h"

#define SEPARATOR '\037' /* ASCII's unit separator; check_words_test() refuses it in words */

int orders_begin(struct guest_orders *o)
{
	uint64_t number;

	*o = (struct guest_orders){ .line_start = true };
	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -1;
	snprintf(o->token, sizeof(o->token), "rootlet-%016jx", (uintmax_t)number);
	return 0;
}

static bool read_question(const char *text, struct guest_question *q)
{
	static const char ready[] = " ready ";
	char *end;
	long status;

	*q = (struct guest_question){ 0 };
	if (strcmp(text, " more") == 0) {
		q->more = true;
		return true;
	}
	if (!text_has_prefix(text, ready))
		return false;
	status = strtol(text + strlen(ready), &end, 10);
	if (end == text + strlen(ready) || status < 0 || status > UINT8_MAX)
		return false;
	q->status = (int)status;
	q->will_ask = strcmp(end, " more") == 0;
	return true;
}

static void pass_on(struct guest_orders *o, const char *data, size_t size, orders_output *output,
		    void *context)
{
	output(data, size, context);
	o->line_start = data[size - 1] == '\n';
}

/* Takes a byte after the token. Returns true if QUESTION is complete. */
static bool orders_take_byte(struct guest_orders *o, char c, struct guest_question *question)
{
	if (c != '\n') {
		if (c != '\r' && o->length < sizeof(o->question) - 1)
			o->question[o->length++] = c;
		return false;
	}
	o->question[o->length] = '\0';
	o->asking = false;
	o->length = 0;
	return read_question(o->question, question);
}

/* The token's first letter does not come again in it, so a failed match restarts with that one. */
void orders_feed(struct guest_orders *o, const char *data, size_t size, orders_output *output,
		 orders_asked *asked, void *context)
{
	size_t from = 0; /* of what has not been passed on */

	for (size_t i = 0; i < size; i++) {
		struct guest_question question;

		if (o->asking) {
			from = i + 1;
			if (orders_take_byte(o, data[i], &question))
				asked(&question, context);
			continue;
		}
		if (data[i] == o->token[o->matched]) {
			if (o->matched++ == 0 && i > from)
				pass_on(o, data + from, i - from, output, context);
			from = i + 1;
			o->asking = !o->token[o->matched];
			if (o->asking && !o->line_start)
				pass_on(o, "\n", 1, output, context);
			o->matched = o->asking ? 0 : o->matched;
		} else if (o->matched) {
			pass_on(o, o->token, o->matched, output, context);
			o->matched = 0;
			from = i--;
		}
	}
	if (from < size)
		pass_on(o, data + from, size - from, output, context);
}

char *orders_compose(const char *kind, const struct batch *batch)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(kind, out);
	for (size_t i = 0; batch && i < batch->count; i++)
		fprintf(out, "%c%s", SEPARATOR, batch->words[i]);
	fputc('\n', out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
