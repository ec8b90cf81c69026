/* frontend/fstests/guest_orders.c: what fstests.sh says between check's output, and what it is
 * told. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fstests/guest_orders.h"
#include "tap.h"

/* What came out: output as it is, questions as "<ready 1 more>". */
static char seen[1024];

static void take_output(const char *data, size_t size, void *context)
{
	size_t used = strlen(seen);

	(void)context;
	snprintf(seen + used, sizeof(seen) - used, "%.*s", (int)size, data);
}

static void take_question(const struct guest_question *q, void *context)
{
	size_t used = strlen(seen);

	(void)context;
	if (q->more)
		snprintf(seen + used, sizeof(seen) - used, "<more>");
	else
		snprintf(seen + used, sizeof(seen) - used, "<ready %d%s>", q->status,
			 q->will_ask ? " more" : "");
}

/* "@" stands for the token. */
static const struct {
	const char *what, *input, *output;
} rows[] = {
	{ "output alone passes through", "generic/001  1s\nab", "generic/001  1s\nab" },
	{ "a question", "@ ready 0 \n", "<ready 0>" },
	{ "a question with a status", "@ ready 120 more\n", "<ready 120 more>" },
	{ "a question for more", "@ more\n", "<more>" },
	{ "output before and after", "a\n@ more\nb\n", "a\n<more>b\n" },
	{ "an open line is completed first", "[not run] why@ more\n", "[not run] why\n<more>" },
	{ "two questions", "@ more\n@ ready 1 \n", "<more><ready 1>" },
	{ "carriage returns are ignored", "@ more\r\n", "<more>" },
	{ "part of the token is output", "a rootlet-1234 b\n", "a rootlet-1234 b\n" },
	{ "the token comes after part of itself", "root@ more\n", "root\n<more>" },
	{ "letters of the token twice", "rrootr@ more\n", "rrootr\n<more>" },
	{ "another question is dropped", "@ sing\nx\n", "x\n" },
	{ "a question without a number is dropped", "@ ready \nx\n", "x\n" },
	{ "a question that does not end is not answered", "@ more", "" },
	{ "a status that no process has is dropped", "@ ready 256 \n@ ready -1 \nx\n", "x\n" },
	{ "a long question is cut and dropped",
	  "@ ready 1111111111111111111111111111111111111111111111111111111111111111111111 x\ny",
	  "y" },
};

static char *expand(const char *text, const char *token)
{
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	for (; f && *text; text++)
		if (*text == '@')
			fputs(token, f);
		else
			fputc(*text, f);
	if (!f || fclose(f) != 0)
		abort();
	return out;
}

/* In pieces of SIZE bytes. */
static void check_row(size_t row, size_t size)
{
	struct guest_orders o;
	char *input;

	if (orders_begin(&o) < 0)
		abort();
	input = expand(rows[row].input, o.token);
	*seen = '\0';
	for (size_t at = 0, length = strlen(input); at < length; at += size)
		orders_feed(&o, input + at, length - at < size ? length - at : size, take_output,
			    take_question, NULL);
	tap_check(strcmp(seen, rows[row].output) == 0, "%s, in pieces of %zu: %s", rows[row].what,
		  size, seen);
	free(input);
}

static void check_orders(void)
{
	char *const words[] = { (char *)(uintptr_t) "-s", (char *)(uintptr_t) "two words", NULL };
	struct batch batch = { .words = (char **)(uintptr_t)words, .count = 2 };
	struct guest_orders one, two;
	char *text = orders_compose("run", &batch);

	tap_check(text && strcmp(text, "run\037-s\037two words\n") == 0, "an order with words");
	free(text);
	text = orders_compose("more", NULL);
	tap_check(text && strcmp(text, "more\n") == 0, "an order without words");
	free(text);
	tap_check(orders_begin(&one) == 0 && orders_begin(&two) == 0 &&
			  strcmp(one.token, two.token) != 0,
		  "each boot has a token of its own");
}

int main(void)
{
	static const size_t sizes[] = { 1, 3, 4096 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++)
			check_row(i, sizes[k]);
	check_orders();
	return tap_done();
}
