#include "frontend/cli/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "frontend/cli/events.h"
#include "frontend/cli/install_command.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "lib/clock.h"

#define LINE_MAX_BYTES 256
#define TERMINAL_INTERVAL 0.1 /* seconds between two updates */
#define PLAIN_INTERVAL 10.0
#define JSON_INTERVAL 0.5
#define PLAIN_STATUS_INTERVAL 60.0 /* longer: lines of their own repeat what a status says */

struct progress {
	const struct progress_sink *sink; /* NULL: print it here */
	uint64_t relayed[4];		  /* the last update; RELAY: it was not sent yet */
	bool relay;
	FILE *out;
	bool json, terminal, drawn, open;
	char stage[80];
	uint64_t items, items_total, bytes, bytes_total;
	uint64_t first_items, first_bytes; /* of the stage's first update: from the cache */
	char status[LINE_MAX_BYTES / 2];   /* "": none */
	bool updated, told; /* TOLD: a line or event was printed; TOLD_COUNTS: the last one */
	uint64_t told_counts[4];
	double began, shown;
};

struct progress *progress_new(enum progress_mode mode)
{
	struct progress *p = mode == PROGRESS_QUIET ? NULL : calloc(1, sizeof(*p));
	const char *term = getenv("TERM");

	if (!p)
		return NULL;
	p->out = mode == PROGRESS_STDOUT ? stdout : stderr;
	p->json = mode == PROGRESS_JSON;
	p->terminal = !p->json && isatty(STDOUT_FILENO) && isatty(fileno(p->out)) &&
		      !(term && strcmp(term, "dumb") == 0);
	return p;
}

struct progress *progress_new_relay(const struct progress_sink *sink)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (p)
		p->sink = sink;
	return p;
}

void progress_flush(struct progress *p)
{
	if (!p || !p->relay)
		return;
	p->relay = false;
	p->shown = clock_precise();
	p->sink->update(p->relayed, p->sink->context);
}

/* Sends the first update of a stage at once, since the rate is based on it. */
static void relay_update(struct progress *p, const uint64_t counts[static 4])
{
	p->relay = p->relay || memcmp(p->relayed, counts, sizeof(p->relayed)) != 0;
	memcpy(p->relayed, counts, sizeof(p->relayed));
	if (!p->updated || clock_precise() - p->shown >= TERMINAL_INTERVAL)
		progress_flush(p);
	p->updated = true;
}

void progress_free(struct progress **p)
{
	if (*p && !(*p)->sink)
		progress_end(*p);
	free(*p);
	*p = NULL;
}

/* Appends to LINE, which has LINE_MAX_BYTES; truncates what does not fit. */
static void progress_append(char *line, const char *format, ...) PRINTF_LIKE(2, 3);
static void progress_append(char *line, const char *format, ...)
{
	size_t used = strlen(line);
	va_list ap;

	va_start(ap, format);
	vsnprintf(line + used, LINE_MAX_BYTES - used, format, ap);
	va_end(ap);
}

static void append_rate(const struct progress *p, char *line)
{
	double elapsed = clock_precise() - p->began, rate, left = -1;
	char text[TEXT_DURATION_LEN];

	if (elapsed < 1)
		return;
	rate = (double)(p->bytes - p->first_bytes) / elapsed;
	if (p->bytes > p->first_bytes)
		progress_append(line, "  %s/s", text_size((uint64_t)rate, text));
	if (p->bytes_total > p->bytes && rate > 0)
		left = (double)(p->bytes_total - p->bytes) / rate;
	else if (!p->bytes_total && p->items_total > p->items && p->items > p->first_items)
		left = (double)(p->items_total - p->items) * elapsed /
		       (double)(p->items - p->first_items);
	if (left >= 0)
		progress_append(line, "  %s left", text_duration((uint64_t)(left + 0.5), text));
}

static void progress_compose(const struct progress *p, char line[static LINE_MAX_BYTES])
{
	char text[TEXT_SIZE_LEN];

	snprintf(line, LINE_MAX_BYTES, "%s", p->stage);
	if (*p->status)
		progress_append(line, "  %s", p->status);
	if (p->items_total)
		progress_append(line, "  %" PRIu64 "/%" PRIu64, p->items, p->items_total);
	else if (p->items)
		progress_append(line, "  %" PRIu64, p->items);
	if (p->bytes || p->bytes_total)
		progress_append(line, "  %s", text_size(p->bytes, text));
	if (p->bytes_total)
		progress_append(line, " of %s", text_size(p->bytes_total, text));
	append_rate(p, line);
}

/* Adds a count to an event, if it is known. */
static void set_count(json_t *event, const char *name, uint64_t count, bool known)
{
	if (known)
		json_object_set_new(event, name, json_integer((json_int_t)count));
}

static void progress_print_event(const struct progress *p)
{
	json_t *event = json_pack("{s:o}", "stage", json_text(p->stage));

	set_count(event, "done", p->items, p->items || p->items_total);
	set_count(event, "total", p->items_total, p->items_total);
	set_count(event, "bytes", p->bytes, p->bytes || p->bytes_total);
	set_count(event, "bytes_total", p->bytes_total, p->bytes_total);
	event_print("progress", event);
}

static double interval_of(const struct progress *p)
{
	if (p->json)
		return JSON_INTERVAL;
	return p->terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL;
}

/* Whether the last line or event had the same numbers. */
static bool is_told(struct progress *p)
{
	const uint64_t counts[4] = { p->items, p->items_total, p->bytes, p->bytes_total };
	bool same = p->told && !*p->status && memcmp(p->told_counts, counts, sizeof(counts)) == 0;

	memcpy(p->told_counts, counts, sizeof(counts));
	p->told = true;
	return same;
}

static void draw(struct progress *p)
{
	char line[LINE_MAX_BYTES];
	struct winsize size;
	int width = 80;

	p->shown = clock_precise();
	if (!p->terminal && is_told(p))
		return;
	if (p->json) {
		progress_print_event(p);
		return;
	}
	progress_compose(p, line);
	if (p->terminal) {
		if (ioctl(fileno(p->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
			width = size.ws_col;
		fprintf(p->out, "\r%.*s\033[K", width - 1, line);
		p->drawn = true;
	} else {
		fprintf(p->out, "%s\n", line);
	}
	fflush(p->out);
}

static void close_stage(struct progress *p)
{
	if (!p->open)
		return;
	if (p->updated)
		draw(p);
	if (p->drawn)
		fputc('\n', p->out);
	fflush(p->out);
	p->drawn = p->open = false;
}

void progress_stage(struct progress *p, const char *stage)
{
	if (p && p->sink) {
		progress_flush(p);
		p->updated = false;
		p->sink->stage(stage, p->sink->context);
		return;
	}
	if (!p || (p->open && strcmp(p->stage, stage) == 0))
		return;
	close_stage(p);
	snprintf(p->stage, sizeof(p->stage), "%s", stage);
	text_clean(p->stage);
	p->items = p->items_total = p->bytes = p->bytes_total = 0;
	p->updated = p->told = false;
	*p->status = '\0';
	p->open = true;
	p->began = clock_precise();
	draw(p);
}

void progress_update(struct progress *p, uint64_t items, uint64_t items_total, uint64_t bytes,
		     uint64_t bytes_total)
{
	if (p && p->sink)
		relay_update(p, (uint64_t[]){ items, items_total, bytes, bytes_total });
	if (!p || !p->open)
		return;
	if (!p->updated) {
		p->first_items = items;
		p->first_bytes = bytes;
		p->updated = true;
	}
	/* A retry may lower the count; the rate must not become negative. */
	if (bytes < p->first_bytes)
		p->first_bytes = bytes;
	if (items < p->first_items)
		p->first_items = items;
	p->items = items;
	/* An estimate (dpkg configures some packages twice) may be too low. */
	p->items_total = items_total && items_total < items ? items : items_total;
	p->bytes = bytes;
	p->bytes_total = bytes_total;
	if (clock_precise() - p->shown >= interval_of(p))
		draw(p);
}

void progress_status(struct progress *p, const char *text)
{
	if (!p || !p->open)
		return;
	snprintf(p->status, sizeof(p->status), "%s", text);
	text_clean(p->status);
	if (clock_precise() - p->shown >= (p->terminal ? TERMINAL_INTERVAL : PLAIN_STATUS_INTERVAL))
		draw(p);
}

void progress_note(struct progress *p, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;

	if (!p)
		return;
	va_start(ap, format);
	line = text_vformat(format, ap);
	va_end(ap);
	if (!line)
		return;
	if (p->sink) {
		p->sink->note(line, p->sink->context);
		return;
	}
	if (p->json) {
		event_print("log", json_pack("{s:o}", "line", json_text(text_clean(line))));
		return;
	}
	if (p->drawn)
		fputs("\r\033[K", p->out);
	style_print(p->out, STYLE_PLAIN, "%s\n", text_clean(line));
	if (p->drawn)
		draw(p);
	fflush(p->out);
}

void progress_note_error(struct progress *p, const struct error *err)
{
	_cleanup_free_ char *message = install_localize(error_text(err));

	progress_note(p, "%s", message ? message : error_text(err));
}

void progress_event(const struct progress *p, const char *event, json_t *fields)
{
	if (p && p->json)
		event_print(event, fields);
	else
		json_decref(fields);
}

void progress_end(struct progress *p)
{
	if (p)
		close_stage(p);
}
