/* Prints the table of requests: list_requests json (for the tests' client), scdoc (for
 * rootlet-protocol(7)) or markdown (for SECURITY.md). Runs at build time only. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/channel.h"
#include "proto/requests.h"
#include "rootlet.pb-c.h"

static const struct listed_request {
	const char *name, *word, *fds;
	unsigned when, seconds, caps;
} rows[] = {
#define ROW(NAME, Name, name, word, fds, when, seconds, caps)                                      \
	{ #Name, word, fds, when, seconds, caps },
	REQUESTS(ROW)
};
#define ROW_COUNT (sizeof(rows) / sizeof(*rows))

static void print_json(void)
{
	const ProtobufCMessageDescriptor *request = &rootlet__request__descriptor;

	printf("{\"version\": %u, \"requests\": {", PROTOCOL_VERSION);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const ProtobufCMessageDescriptor *message = request->fields[i].descriptor;

		printf("%s\n\"%s\": {\"number\": %u, \"fields\": {", i ? "," : "", rows[i].name,
		       request->fields[i].id);
		for (unsigned f = 0; f < message->n_fields; f++)
			printf("%s\"%s\": %u", f ? ", " : "", message->fields[f].name,
			       message->fields[f].id);
		printf("}}");
	}
	printf("\n}}\n");
}

static void print_fds(const char *fds)
{
	static const char *const words[] = {
		['d'] = "directory", ['o'] = "directory (O_PATH)",  ['t'] = "rootfs",
		['f'] = "file",	     ['w'] = "empty writable file", ['s'] = "stream"
	};

	printf("%s", *fds ? "" : "none");
	for (const char *fd = fds; *fd; fd++)
		printf("%s%s", fd > fds ? ", " : "", words[(unsigned char)*fd]);
}

static void print_when(unsigned when)
{
	printf("%s", when == WHEN_ALWAYS     ? "always"
		     : when == WHEN_IDLE     ? "no build"
		     : when == WHEN_BUILDING ? "building"
					     : "built");
}

static void print_seconds(unsigned seconds)
{
	if (!seconds)
		printf("none");
	else if (seconds % HOUR)
		printf("%u min", seconds / MINUTE);
	else
		printf("%u h", seconds / HOUR);
}

static const char *caps_text(unsigned caps)
{
	return caps == CAPS_NONE   ? "none"
	       : caps == CAPS_LOOK ? "look"
	       : caps == CAPS_JAIL ? "jail"
	       : caps == CAPS_VIEW ? "look, jail"
				   : "all";
}

/* HEAD starts a row, CELL separates two cells, END ends a row. */
static void list_requests_print_table(const char *head, const char *cell, const char *end)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		printf("%s%s%s", head, rows[i].name, cell);
		print_fds(rows[i].fds);
		printf("%s", cell);
		print_when(rows[i].when);
		printf("%s", cell);
		print_seconds(rows[i].seconds);
		printf("%s%s%s%s%s", cell, caps_text(rows[i].caps), cell,
		       rows[i].word ? rows[i].word : "-", end);
	}
}

int main(int argc, char **argv)
{
	const char *form = argc > 1 ? argv[1] : "";

	if (strcmp(form, "json") == 0) {
		print_json();
	} else if (strcmp(form, "scdoc") == 0) {
		printf("[[ *Request*\n:[ *Descriptors*\n:[ *When*\n:[ *Time limit*\n:[ "
		       "*Capabilities*\n:[ *Policy*\n");
		list_requests_print_table("|[ ", "\n:[ ", "\n");
	} else if (strcmp(form, "markdown") == 0) {
		printf("| request | descriptors | when | time limit | capabilities | policy word "
		       "|\n"
		       "|---|---|---|---|---|---|\n");
		list_requests_print_table("| ", " | ", " |\n");
	} else {
		fprintf(stderr, "usage: list_requests json|scdoc|markdown\n");
		return 2;
	}
	return 0;
}
