#include "helper/audit/audit_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "helper/audit/audit_text.h"
#include "helper/starter/root_files.h"
#include "lib/hash.h"

/* Wait for at most 5 s: the process that holds the lock only writes a few hundred bytes. */
#define LOCK_PAUSE 5000000 /* ns */
#define LOCK_TRIES 1000

int audit_file_open(const struct session *s, int given, struct error **err)
{
	const char *path = s->policy->file;
	int fd;

	if (s->mode == MODE_USER || strcmp(path, "none") == 0) {
		path = "of the caller";
		fd = file_check(given, s->grant.caller.uid, O_RDWR | O_APPEND);
	} else {
		closep(&given);
		fd = root_file_open(s, path, O_RDWR | O_APPEND | O_CREAT);
	}
	return fd >= 0 ? fd
		       : error_errno(err, ERR_HOST,
				     "cannot use the audit log %s, to which nobody but its owner "
				     "may be able to write",
				     path);
}

/* Every caller's helper needs this lock, and callers who own their cgroup can freeze their helper
 * while it holds it. So after the first failure the next attempts do not wait. */
static int lock_file(int file, int tries)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE };

	while (flock(file, LOCK_EX | LOCK_NB) < 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || tries-- == 0)
			return -1;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return 0;
}

#define HASH_KEY ",\"hash\":\""
#define HASH_BYTES (sizeof(HASH_KEY) - 1 + 2 * SHA256_LEN + 2)

/* The hash at the end of LINE. If it has none, because it is an older record or damaged, the hash
 * of the whole line. */
static void hash_of_line(const char *line, size_t length, char hex[static 2 * SHA256_LEN + 1])
{
	const char *key = line + length - HASH_BYTES, *digits = key + sizeof(HASH_KEY) - 1;
	uint8_t sum[SHA256_LEN];

	if (length > HASH_BYTES && memcmp(key, HASH_KEY, sizeof(HASH_KEY) - 1) == 0 &&
	    strspn(digits, HEX_DIGITS) == 2 * SHA256_LEN) {
		memcpy(hex, digits, 2 * SHA256_LEN);
		return;
	}
	hash_of(line, length, sum);
	sha256_to_hex(sum, hex);
}

/* Reads the number and hash of FILE's last line: the hash becomes the next record's "prev". An
 * empty file starts a chain with zeros. *CUT: the last line has no newline. */
static int find_last(int file, off_t end, struct chain_place *place, bool *cut)
{
	char tail[2 * AUDIT_TEXT_MAX + 1];
	off_t at = end - (off_t)sizeof(tail) + 1;
	const char *before, *last;
	size_t length;
	ssize_t n;

	memset(place->prev, '0', 2 * SHA256_LEN);
	place->number = 1;
	n = pread(file, tail, sizeof(tail) - 1, at > 0 ? at : 0);
	if (n <= 0)
		return n < 0 ? -1 : 0;
	length = (size_t)n;
	tail[length] = '\0';
	*cut = tail[length - 1] != '\n';
	length -= !*cut;
	before = memrchr(tail, '\n', length);
	last = before ? before + 1 : tail;
	if (sscanf(last, "{\"seq\":%" SCNu64, &place->number) == 1)
		place->number++;
	hash_of_line(last, length - (size_t)(last - tail), place->prev);
	return 0;
}

/* Appends all of TEXT or nothing, unless somebody else can write to the file at the same time
 * (UNLOCKED). Advances *END, the end of the file. */
static int audit_file_append(int file, off_t *end, const char *text, size_t length, bool unlocked)
{
	ssize_t n = RETRY_ON_EINTR(write(file, text, length));

	if (n == (ssize_t)length) {
		*end += n;
		return 0;
	}
	if (n > 0 && !unlocked && ftruncate(file, *end) == 0)
		errno = ENOSPC;
	return -1;
}

/* Appends the record to the file's chain. If the file still ends where we left it, the last record
 * is our own. */
static int append_record(struct audit *a, int file, struct audit_entry *e)
{
	struct audit_text t;
	bool cut = false;
	struct stat st;

	if (fstat(file, &st) < 0)
		return -1;
	if (st.st_size > 0 && st.st_size == a->end)
		audit_follow(a, e);
	else if (find_last(file, st.st_size, &e->place, &cut) < 0)
		return -1;
	audit_text_line(&t, e);
	if ((cut && audit_file_append(file, &st.st_size, "\n", 1, e->unlocked) < 0) ||
	    audit_file_append(file, &st.st_size, t.bytes, t.length, e->unlocked) < 0)
		return -1;
	a->end = st.st_size;
	return 0;
}

/* All helpers share the file's lock, so that there is a single chain. If another helper does not
 * release the lock, the request is recorded all the same: the chain may fork there, and the record
 * says that it was written unlocked. */
int audit_file_write(struct audit *a, struct audit_entry *e)
{
	int file = a->fds[AUDIT_FILE], result;

	e->unlocked = lock_file(file, a->contended ? 0 : LOCK_TRIES) < 0;
	if (e->unlocked && errno != EWOULDBLOCK)
		return -1;
	a->contended = e->unlocked;
	result = append_record(a, file, e);
	if (result < 0)
		e->place.number = 0;
	if (!e->unlocked)
		flock(file, LOCK_UN);
	return result;
}
