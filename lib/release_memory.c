#include "lib/release_memory.h"

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 512 /* one sector, so that a line is written completely or not at all */
#define MAGIC "rootlet-release 1 "
#define SUM_DIGITS 16
#define BODY_AT (sizeof(MAGIC) - 1 + SUM_DIGITS + 1)
#define MEMORY_MAX ((off_t)2 * LINE_SIZE * RELEASE_MEMORY_ENTRIES)
#define SEEN_INTERVAL (24 * 60 * 60) /* seconds by which SEEN may lag */
#define LOCK_STEPS 250
#define LOCK_STEP_MS 20

enum state { EMPTY, VALID, DAMAGED };

struct line {
	enum state state;
	int64_t date, seen;
	char key[RELEASE_KEY_MAX + 1];
};

/* An entry's place in the file, and which of its two lines is to be written next. */
struct memory_place {
	size_t entry, spare;
	struct line line;
};

const char *release_memory_date(int64_t date, char out[static RELEASE_DATE_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t when = (time_t)date;
	struct tm tm = { 0 };

	gmtime_r(&when, &tm);
	snprintf(out, RELEASE_DATE_SIZE, "%.3s, %02d %.3s %d %02d:%02d:%02d UTC",
		 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
		 tm.tm_hour, tm.tm_min, tm.tm_sec);
	return out;
}

int release_memory_refuse(const char *name, int64_t date, int64_t newest, const char *remedy,
			  struct error **err)
{
	char old[RELEASE_DATE_SIZE], seen[RELEASE_DATE_SIZE];

	return error_set(err, ERR_TRUST,
			 "the release file of %s is older than one that was accepted before: it is "
			 "from %s, and the newest was from %s; the mirror lags behind, or somebody "
			 "serves old packages: try again later, %s",
			 name, release_memory_date(date, old), release_memory_date(newest, seen),
			 remedy);
}

/* FNV-1a, against damage: anyone who can write to the file has no need to forge it. */
static uint64_t checksum(const char *data, size_t size)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static bool is_zero(const char *data)
{
	for (size_t i = 0; i < LINE_SIZE; i++)
		if (data[i])
			return false;
	return true;
}

static void memory_read_line(const char *data, struct line *line)
{
	char text[LINE_SIZE + 1], *end, *at;

	memset(line, 0, sizeof(*line));
	line->state = is_zero(data) ? EMPTY : DAMAGED;
	memcpy(text, data, LINE_SIZE);
	text[LINE_SIZE] = '\0';
	if (line->state == EMPTY || strlen(text) != LINE_SIZE || text[LINE_SIZE - 1] != '\n' ||
	    strncmp(text, MAGIC, strlen(MAGIC)) != 0 ||
	    strtoull(text + strlen(MAGIC), &end, 16) !=
		    checksum(text + BODY_AT, LINE_SIZE - BODY_AT) ||
	    end != text + BODY_AT - 1)
		return;
	line->date = strtoll(text + BODY_AT, &end, 10);
	line->seen = strtoll(end, &at, 10);
	at += *at == ' ';
	for (end = text + LINE_SIZE; end > at && (end[-1] == ' ' || end[-1] == '\n');)
		*--end = '\0';
	if (line->date <= 0 || line->seen <= 0 || !*at || strlen(at) > RELEASE_KEY_MAX)
		return;
	snprintf(line->key, sizeof(line->key), "%.*s", RELEASE_KEY_MAX, at);
	line->state = VALID;
}

/* The entry's valid line. If a first write was cut off, one line is damaged and none is valid: that
 * counts as an empty entry. If both are damaged, so is the entry. */
static enum state read_entry(const char *data, size_t entry, struct memory_place *place)
{
	struct line lines[2];
	size_t best;

	memory_read_line(data + 2 * entry * LINE_SIZE, &lines[0]);
	memory_read_line(data + (2 * entry + 1) * LINE_SIZE, &lines[1]);
	if (lines[0].state != VALID && lines[1].state != VALID)
		best = 0;
	else if (lines[0].state != VALID || lines[1].state != VALID)
		best = lines[0].state == VALID ? 0 : 1;
	else
		best = lines[0].seen > lines[1].seen ? 0 : 1;
	*place = (struct memory_place){ .entry = entry, .spare = 1 - best, .line = lines[best] };
	if (lines[best].state == VALID)
		return VALID;
	return lines[0].state == DAMAGED && lines[1].state == DAMAGED ? DAMAGED : EMPTY;
}

static int complain_damaged(const char *path, struct error **err)
{
	return error_set(err, ERR_HOST,
			 "%s, which remembers the newest release files, is damaged; without it, an "
			 "older release file would go unnoticed; to start over, run: rm %s",
			 path, path);
}

/* The entry of KEY, or else the one to put it in, whose line is empty or has another key. */
static int memory_find(const char *data, const char *path, const char *key,
		       struct memory_place *found, struct error **err)
{
	struct memory_place place;
	bool any = false, empty = false;

	for (size_t i = 0; i < RELEASE_MEMORY_ENTRIES; i++) {
		enum state state = read_entry(data, i, &place);

		if (state == DAMAGED)
			return complain_damaged(path, err);
		if (state == VALID && strcmp(place.line.key, key) == 0) {
			*found = place;
			return 0;
		}
		if (empty || (state == VALID && any && place.line.seen >= found->line.seen))
			continue;
		*found = place;
		any = true;
		empty = state == EMPTY;
	}
	return 0;
}

static int write_line(int fd, const char *path, const struct memory_place *place,
		      struct error **err)
{
	char text[LINE_SIZE + 1], sum[SUM_DIGITS + 1];
	const off_t at = (off_t)(2 * place->entry + place->spare) * LINE_SIZE;
	const struct iovec line = { .iov_base = text, .iov_len = LINE_SIZE };
	ssize_t n;
	int body;

	memset(text, ' ', sizeof(text));
	memcpy(text, MAGIC, strlen(MAGIC));
	body = snprintf(text + BODY_AT, LINE_SIZE - BODY_AT, "%" PRId64 " %" PRId64 " %s",
			place->line.date, place->line.seen, place->line.key);
	text[BODY_AT + (size_t)body] = ' ';
	text[LINE_SIZE - 1] = '\n';
	snprintf(sum, sizeof(sum), "%016" PRIx64, checksum(text + BODY_AT, LINE_SIZE - BODY_AT));
	memcpy(text + strlen(MAGIC), sum, SUM_DIGITS);
	/* RWF_DSYNC: in the verifier's jail, fdatasync(2) does nothing. */
	n = RETRY_ON_EINTR(pwritev2(fd, &line, 1, at, RWF_DSYNC));
	if (n >= 0 && n < LINE_SIZE)
		errno = ENOSPC;
	if (n != LINE_SIZE)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	return 0;
}

/* Reads the whole memory, padded with zeros. The caller frees it. */
static char *read_memory(int fd, const char *path, struct error **err)
{
	_cleanup_free_ char *data = calloc(1, (size_t)MEMORY_MAX);
	struct stat st;
	off_t at = 0;
	ssize_t n = 1;

	if (!data || fstat(fd, &st) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot read %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > MEMORY_MAX) {
		complain_damaged(path, err);
		return NULL;
	}
	for (; n > 0 && at < MEMORY_MAX; at += n)
		n = RETRY_ON_EINTR(pread(fd, data + at, (size_t)(MEMORY_MAX - at), at));
	if (n < 0) {
		error_errno(err, ERR_SYSTEM, "cannot read %s", path);
		return NULL;
	}
	return STEAL_PTR(data);
}

static int take_locked(int fd, const char *path, const char *key, int64_t date, int64_t now,
		       int64_t *newest, struct error **err)
{
	_cleanup_free_ char *data = read_memory(fd, path, err);
	struct memory_place place = { 0 };
	bool known;

	if (!data || memory_find(data, path, key, &place, err) < 0)
		return -1;
	known = place.line.state == VALID && strcmp(place.line.key, key) == 0;
	if (known && date < place.line.date) {
		*newest = place.line.date;
		return 1;
	}
	if (known && date == place.line.date && now - place.line.seen < SEEN_INTERVAL)
		return 0;
	/* This must become the valid one of the entry's two lines, whatever the clock says. */
	place.line.seen = now > place.line.seen ? now : place.line.seen + 1;
	place.line.date = date;
	snprintf(place.line.key, sizeof(place.line.key), "%s", key);
	return write_line(fd, path, &place, err);
}

int release_memory_take(int fd, const char *path, const char *key, int64_t date, int64_t now,
			int64_t *newest, struct error **err)
{
	int result;

	if (!*key || strlen(key) > RELEASE_KEY_MAX || key[strlen(key) - 1] == ' ')
		return error_set(err, ERR_INPUT, "the address of the mirror is too long");
	for (const char *c = key; *c; c++)
		if (*c < ' ' || *c > '~')
			return error_set(err, ERR_INPUT, "the address of the mirror is not ASCII");
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, ERR_SYSTEM, "cannot lock %s", path);
		if (i == LOCK_STEPS)
			return error_set(err, ERR_BUSY, "another rootlet has locked %s", path);
		poll(NULL, 0, LOCK_STEP_MS);
	}
	result = take_locked(fd, path, key, date, now, newest, err);
	flock(fd, LOCK_UN);
	return result;
}
