#include "frontend/release.h"

#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STATUS_MAX 65536
#define CLOCK_SKEW (60 * 60) /* seconds by which two clocks may differ */

#define MESSAGE_LINE "-----BEGIN PGP SIGNED MESSAGE-----"
#define SIGNATURE_LINE "-----BEGIN PGP SIGNATURE-----"
#define END_LINE "-----END PGP SIGNATURE-----"

/* The line at *AT, without its end and the white space there, which no signature covers.
 * False at the end of the text. */
static bool next_line(const char **at, const char *end, const char **line, size_t *length)
{
	const char *stop;

	if (*at >= end)
		return false;
	stop = memchr(*at, '\n', (size_t)(end - *at));
	*line = *at;
	*length = (size_t)((stop ? stop : end) - *at);
	*at = stop ? stop + 1 : end;
	while (*length && strchr(" \t\r", (*line)[*length - 1]))
		(*length)--;
	return true;
}

static bool line_is(const char *line, size_t length, const char *text)
{
	return length == strlen(text) && memcmp(line, text, length) == 0;
}

/* Skips "Hash: SHA256" and its like up to the empty line: nothing but that is allowed there. */
static bool skip_armor_headers(const char **at, const char *end)
{
	const char *line;
	size_t length;

	while (next_line(at, end, &line, &length)) {
		if (length == 0)
			return true;
		if (length < 6 || memcmp(line, "Hash: ", 6) != 0)
			return false;
	}
	return false;
}

/* Takes the signed text, with its dashes unescaped, into TEXT (as long as the file) up to the
 * line that begins the signature. The last line end is not signed. */
static bool take_text(const char **at, const char *end, char *text, const char **signature)
{
	const char *line;
	size_t length, used = 0;

	while (*signature = *at, next_line(at, end, &line, &length)) {
		if (line_is(line, length, SIGNATURE_LINE)) {
			text[used ? used - 1 : 0] = '\0';
			return true;
		}
		if (length && line[0] == '-') {
			if (length < 2 || line[1] != ' ')
				return false;
			line += 2;
			length -= 2;
		}
		memcpy(text + used, line, length);
		used += length;
		text[used++] = '\n';
	}
	return false;
}

/* Cuts an InRelease into the signed text and the signature; false where it is anything but one
 * signed text. What stands outside of it might be taken for signed. */
static bool split(const char *data, size_t size, char *text, const char **signature,
		  size_t *signature_size)
{
	const char *at = data, *end = data + size, *line;
	size_t length;
	bool ended = false;

	if (memchr(data, '\0', size) || !next_line(&at, end, &line, &length) ||
	    !line_is(line, length, MESSAGE_LINE) || !skip_armor_headers(&at, end) ||
	    !take_text(&at, end, text, signature))
		return false;
	*signature_size = (size_t)(end - *signature);
	while (next_line(&at, end, &line, &length)) {
		if ((ended && length) || line_is(line, length, SIGNATURE_LINE) ||
		    line_is(line, length, MESSAGE_LINE))
			return false;
		ended = ended || line_is(line, length, END_LINE);
	}
	return ended;
}

/* A file of its own in memory, which the program that is started inherits. */
static int memory_file(const char *name, const void *data, size_t size, struct error **err)
{
	_cleanup_close_ int fd = memfd_create(name, 0);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot check a signature");
	for (; done < size; done += (size_t)n) {
		n = RETRY_ON_EINTR(write(fd, (const char *)data + done, size - done));
		if (n < 0)
			return error_errno(err, ERR_SYSTEM, "cannot check a signature");
	}
	return steal_fd(&fd);
}

static int run(const char *const *argv, const char *what, int *status, struct error **err)
{
	static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	posix_spawn_file_actions_t actions;
	pid_t child;
	int result;

	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd <= 2; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	result = posix_spawn(&child, argv[0], &actions, NULL, (char *const *)argv,
			     (char *const *)environment);
	posix_spawn_file_actions_destroy(&actions);
	if (result == 0 && RETRY_ON_EINTR(waitpid(child, status, 0)) == child)
		return 0;
	errno = result ? result : errno;
	return error_errno(err, ERR_SYSTEM, "cannot check the signature of %s with %s", what,
			   argv[0]);
}

/* SHA-256 to SHA-224 of RFC 4880 9.4; what is older can be forged. */
static bool strong_hash(const char *algorithm)
{
	return strcmp(algorithm, "8") == 0 || strcmp(algorithm, "9") == 0 ||
	       strcmp(algorithm, "10") == 0 || strcmp(algorithm, "11") == 0;
}

/* What gpgv said with --status-fd (doc/DETAILS of GnuPG). A GOODSIG by a key that has not expired
 * and was not revoked is followed by its VALIDSIG. One is enough, as an archive that changes its
 * keys signs with the old and the new one; a bad one by any known key is too much. Returns NULL
 * where all is well, or what is wrong. */
static const char *judge(char *text)
{
	const char *wrong = "no key of the keyring has signed it";
	bool good = false, valid = false;
	char *line, *rest = NULL, hash[8];

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "[GNUPG:] ", 9) != 0)
			continue;
		line += 9;
		if (strncmp(line, "BADSIG ", 7) == 0)
			return "its signature does not match its text";
		if (strncmp(line, "NODATA", 6) == 0 || strncmp(line, "BADARMOR", 8) == 0)
			return "its signature is malformed";
		if (strncmp(line, "EXPKEYSIG ", 10) == 0)
			wrong = "the key of its signature has expired";
		if (strncmp(line, "REVKEYSIG ", 10) == 0)
			wrong = "the key of its signature was revoked";
		if (strncmp(line, "NEWSIG", 6) == 0)
			good = false;
		if (strncmp(line, "GOODSIG ", 8) == 0)
			good = true;
		if (strncmp(line, "VALIDSIG ", 9) == 0 && good &&
		    sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %7s", hash) == 1) {
			valid = valid || strong_hash(hash);
			good = false;
		}
	}
	return valid ? NULL : wrong;
}

static int verify_gpgv(int signature, int text, const char *keyring, const char *what,
		       struct error **err)
{
	_cleanup_close_ int status_fd = memory_file("status", "", 0, err);
	_cleanup_free_ char *said = calloc(1, STATUS_MAX);
	char number[16], signature_path[32], text_path[32];
	const char *argv[] = { "/usr/bin/gpgv", "--quiet",	"--status-fd", number, "--keyring",
			       keyring,		signature_path, text_path,     NULL };
	const char *wrong;
	int status = -1;

	if (status_fd < 0 || !said)
		return error_set(err, ERR_SYSTEM, "cannot check the signature of %s", what);
	snprintf(number, sizeof(number), "%d", status_fd);
	snprintf(signature_path, sizeof(signature_path), "/dev/fd/%d", signature);
	snprintf(text_path, sizeof(text_path), "/dev/fd/%d", text);
	if (run(argv, what, &status, err) < 0)
		return -1;
	if (!WIFEXITED(status) || pread(status_fd, said, STATUS_MAX - 1, 0) < 0)
		return error_set(err, ERR_TRUST, "cannot check the signature of %s: gpgv failed",
				 what);
	/* Its exit status is not 0 either where a further signature is by a key that the keyring
	 * does not have. */
	wrong = judge(said);
	if (wrong)
		return error_set(err, ERR_TRUST,
				 "the signature of %s is not good: %s (keyring %s); name another "
				 "mirror with --mirror URL or the right keyring with --keyring "
				 "FILE",
				 what, wrong, keyring);
	return 0;
}

char *release_verify(const char *data, size_t size, const char *keyring, const char *what,
		     struct error **err)
{
	_cleanup_free_ char *text = malloc(size + 2);
	_cleanup_close_ int signature_fd = -1, text_fd = -1;
	const char *signature;
	size_t signature_size;

	if (!text) {
		error_errno(err, ERR_SYSTEM, "cannot check the signature of %s", what);
		return NULL;
	}
	if (!split(data, size, text, &signature, &signature_size)) {
		error_set(
			err, ERR_TRUST,
			"cannot trust %s: it is not one whole signed text, but cut short, altered "
			"or a page of something between here and the mirror; try again later, or "
			"name another mirror with --mirror URL",
			what);
		return NULL;
	}
	signature_fd = memory_file("signature", signature, signature_size, err);
	text_fd = memory_file("text", text, strlen(text), err);
	if (signature_fd < 0 || text_fd < 0)
		return NULL;
	if (access("/usr/bin/gpgv", X_OK) < 0) {
		error_set(err, ERR_HOST,
			  "cannot check the signature of %s: gpgv is not there; run: apt-get "
			  "install gpgv",
			  what);
		return NULL;
	}
	if (verify_gpgv(signature_fd, text_fd, keyring, what, err) < 0)
		return NULL;
	return STEAL_PTR(text);
}

/* The value of the first field NAME, in *TO; NULL where there is none. -1 where memory is short. */
static int field(const char *text, const char *name, char **to)
{
	size_t length = strlen(name), end;

	*to = NULL;
	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncasecmp(text, name, length) != 0 || text[length] != ':')
			continue;
		text += length + 1;
		text += strspn(text, " \t");
		end = strcspn(text, "\n");
		*to = strndup(text, end);
		return *to ? 0 : -1;
	}
	return 0;
}

/* "Sat, 11 Jul 2026 10:16:37 UTC", whatever the locale; -1 where it is not that. */
static time_t parse_date(const char *date)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { 0 };
	char month[4], zone[6];
	const char *found;

	if (sscanf(date, "%*3s, %2d %3s %4d %2d:%2d:%2d %5s", &tm.tm_mday, month, &tm.tm_year,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone) != 7 ||
	    strlen(month) != 3 || !(found = strstr(months, month)) || (found - months) % 3 != 0 ||
	    (strcmp(zone, "UTC") != 0 && strcmp(zone, "GMT") != 0 && strcmp(zone, "Z") != 0 &&
	     strcmp(zone, "+0000") != 0))
		return -1;
	tm.tm_mon = (int)(found - months) / 3;
	tm.tm_year -= 1900;
	return timegm(&tm);
}

int release_parse(char *text, const char *what, struct release **out, struct error **err)
{
	_cleanup_(release_free) struct release *r = calloc(1, sizeof(*r));
	_cleanup_free_ char *owned = text, *until = NULL, *by_hash = NULL;

	if (!r || field(text, "Suite", &r->suite) < 0 ||
	    field(text, "Codename", &r->codename) < 0 || field(text, "Origin", &r->origin) < 0 ||
	    field(text, "Date", &r->date) < 0 || field(text, "Valid-Until", &until) < 0 ||
	    field(text, "Acquire-By-Hash", &by_hash) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", what);
	r->text = STEAL_PTR(owned);
	r->by_hash = by_hash && strcasecmp(by_hash, "yes") == 0;
	if (!r->suite && !r->codename)
		return error_set(err, ERR_TRUST, "cannot trust %s: it names no release", what);
	if (!r->date || (r->made = parse_date(r->date)) < 0)
		return error_set(err, ERR_TRUST, "cannot trust %s: it has no date", what);
	if (until && (r->expires = parse_date(until)) <= 0)
		return error_set(err, ERR_TRUST,
				 "cannot trust %s: nobody can read the date until which it is "
				 "valid",
				 what);
	*out = STEAL_PTR(r);
	return 0;
}

static bool is_pocket(const char *name)
{
	static const char *const pockets[] = { "updates", "security", "backports", "proposed",
					       "proposed-updates" };
	const char *dash = name ? strchr(name, '-') : NULL;

	for (size_t i = 0; dash && i < sizeof(pockets) / sizeof(*pockets); i++)
		if (strcmp(dash + 1, pockets[i]) == 0)
			return true;
	return false;
}

/* Debian's pockets have their names as Codename, Ubuntu's as Suite beside the release's Codename.
 */
static bool names_match(const struct release *r, const char *suite, const char *pocket)
{
	char want[2 * SUITE_MAX + 2];

	snprintf(want, sizeof(want), "%s%s%s", suite, pocket[0] ? "-" : "", pocket);
	if (!pocket[0] && (is_pocket(r->suite) || is_pocket(r->codename)))
		return false;
	return (r->suite && strcmp(r->suite, want) == 0) ||
	       (r->codename && strcmp(r->codename, want) == 0);
}

int release_check(const struct release *r, const char *suite, const char *pocket, time_t now,
		  struct error **err)
{
	const char *dash = pocket[0] ? "-" : "";

	if (!names_match(r, suite, pocket))
		return error_set(err, ERR_TRUST,
				 "the mirror's release file for %s%s%s is of another release or "
				 "pocket: suite %.48s, codename %.48s; name another mirror with "
				 "--mirror URL",
				 suite, dash, pocket, r->suite ? r->suite : "none",
				 r->codename ? r->codename : "none");
	if (r->made > now + CLOCK_SKEW)
		return error_set(err, ERR_TRUST,
				 "the release file of %s%s%s has a date in the future: %.40s; set "
				 "this host's clock if it is wrong (see: date), or name another "
				 "mirror with --mirror URL",
				 suite, dash, pocket, r->date);
	if (r->expires && r->expires < now)
		return error_set(err, ERR_TRUST,
				 "the release file of %s%s%s has expired: it is from %.40s, and "
				 "the mirror no longer follows the archive; set this host's clock "
				 "if it is wrong (see: date), or name another mirror with "
				 "--mirror URL",
				 suite, dash, pocket, r->date);
	return 0;
}

/* " HASH SIZE PATH"; false where LINE is not that. */
static bool parse_entry(const char *line, const char *path, struct release_file *out)
{
	char entry[512], hex[2 * SHA256_LEN + 1], name[256];
	size_t length = strcspn(line, "\n");

	/* sscanf() takes the length of all that follows: cut it here. */
	if (length >= sizeof(entry))
		return false;
	memcpy(entry, line, length);
	entry[length] = '\0';
	return sscanf(entry, " %64[0-9a-f] %" SCNu64 " %255s", hex, &out->size, name) == 3 &&
	       strcmp(name, path) == 0 && sha256_from_hex(hex, strlen(hex), out->sha256);
}

bool release_find(const struct release *r, const char *path, struct release_file *out)
{
	const char *line = strstr(r->text, "\nSHA256:");

	for (line = line ? strchr(line + 1, '\n') : NULL; line && line[1] == ' ';
	     line = strchr(line + 1, '\n'))
		if (parse_entry(line + 1, path, out))
			return true;
	return false;
}

void release_free(struct release **release)
{
	struct release *r = *release;

	if (!r)
		return;
	free(r->text);
	free(r->suite);
	free(r->codename);
	free(r->origin);
	free(r->date);
	free(r);
	*release = NULL;
}
