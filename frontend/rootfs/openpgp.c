#include "frontend/rootfs/openpgp.h"

#include <ctype.h>
#include <string.h>
#include <sys/mman.h>

#include "frontend/cli/child.h"
#include "frontend/cli/text.h"
#include "lib/read_all.h"
#include "lib/signature.h"
#include "lib/write_all.h"

#define STATUS_BYTES_MAX (1 << 20)
#define SIGNATURE_BYTES_MAX (64 << 10)
#define KEY_DIGITS_MIN 16
#define COMPLAINT_SIZE 200
#define STATUS_PREFIX "[GNUPG:] "
#define GPG_PREFIX "gpg: "

bool openpgp_valid_key(const char *key)
{
	size_t length;

	if (key[0] == '0' && (key[1] == 'x' || key[1] == 'X'))
		key += 2;
	length = strlen(key);
	return length >= KEY_DIGITS_MIN && length < FINGERPRINT_SIZE &&
	       strspn(key, "0123456789abcdefABCDEF") == length;
}

static int memory_of(const char *name, const void *data, size_t size, struct error **err)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, ERR_SPACE, "cannot make a file in memory");
	return steal_fd(&fd);
}

static char *memory_read(int fd, size_t most, size_t *size)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? NULL : read_all(fd, most, size);
}

/* The next status line in *AT that begins with WORD, after that word; NULL: no more. */
static const char *status_next(const char **at, const char *word)
{
	while (*at && **at) {
		const char *line = *at, *end = strchr(line, '\n');

		*at = end ? end + 1 : NULL;
		if (text_has_prefix(line, STATUS_PREFIX) &&
		    text_has_prefix(line + strlen(STATUS_PREFIX), word))
			return line + strlen(STATUS_PREFIX) + strlen(word);
	}
	return NULL;
}

/* Word NUMBER, counted from 0, of a line; false if it is not a fingerprint. */
static bool take_fingerprint(const char *line, int number, char out[static FINGERPRINT_SIZE])
{
	size_t length;

	for (; number > 0; number--) {
		line += strcspn(line, " \n");
		line += *line == ' ';
	}
	length = strcspn(line, " \n");
	if (length >= FINGERPRINT_SIZE)
		return false;
	memcpy(out, line, length);
	out[length] = '\0';
	return openpgp_valid_key(out);
}

/* --- signing --- */

/* The last line that gpg printed for people: "signing failed: No secret key". */
static void openpgp_take_complaint(const char *text, char *out, size_t size)
{
	snprintf(out, size, "gpg failed");
	for (const char *end; *text; text = end + (*end == '\n')) {
		end = text + strcspn(text, "\n");
		if (end == text || text_has_prefix(text, STATUS_PREFIX))
			continue;
		text += text_has_prefix(text, GPG_PREFIX) ? strlen(GPG_PREFIX) : 0;
		snprintf(out, size, "%.*s", (int)(end - text), text);
	}
}

/* The last word of SIG_CREATED is the fingerprint. One signature must have been made: gpg.conf can
 * name further keys. */
static int judge_signing(const char *key, int status, const char *text,
			 char fingerprint[static FINGERPRINT_SIZE], struct error **err)
{
	const char *at = text, *line = status_next(&at, "SIG_CREATED ");
	char said[COMPLAINT_SIZE];

	openpgp_take_complaint(text, said, sizeof(said));
	if (status == 127)
		return error_set(err, ERR_HOST,
				 "cannot sign: gpg is missing; run: apt install gpg");
	if (status != 0 || !line)
		return error_set(err, ERR_REFUSED,
				 "cannot sign with key %s: %s; to list your keys, run: gpg "
				 "--list-secret-keys",
				 key, said);
	if (status_next(&at, "SIG_CREATED "))
		return error_set(err, ERR_REFUSED,
				 "cannot sign with key %s alone: gpg also used another key; see "
				 "local-user in gpg.conf",
				 key);
	return take_fingerprint(line, 5, fingerprint)
		       ? 0
		       : error_set(err, ERR_SYSTEM, "cannot sign: gpg reported no fingerprint");
}

/* Has gpg make OUTPUT of DATA, FORM says how. gpg gets the caller's environment: it finds their
 * keys, its agent and the terminal by that. */
static int sign(const char *key, const char *form, const void *data, size_t size, char **output,
		size_t *output_size, char fingerprint[static FINGERPRINT_SIZE], struct error **err)
{
	const char *const argv[] = { "gpg",	     "--batch", "--status-fd",	 "2",
				     "--no-armor",   "--quiet", "--digest-algo", "SHA512",
				     "--local-user", key,	"--output",	 "-",
				     form,	     NULL };
	_cleanup_close_ int in = memory_of("payload", data, size, err);
	_cleanup_close_ int out = in < 0 ? -1 : memory_of("signature", "", 0, err);
	_cleanup_close_ int said = out < 0 ? -1 : memory_of("status", "", 0, err);
	_cleanup_free_ char *text = NULL;
	size_t length;
	pid_t pid;
	int status;

	if (said < 0 || child_start(argv, (int[3]){ in, out, said }, &pid, err) < 0)
		return -1;
	status = child_wait(pid, err);
	if (status < 0)
		return -1;
	text = memory_read(said, STATUS_BYTES_MAX, &length);
	if (!text)
		return error_errno(err, ERR_SYSTEM, "cannot read what gpg printed");
	if (judge_signing(key, status, text, fingerprint, err) < 0)
		return -1;
	*output = memory_read(out, size + SIGNATURE_BYTES_MAX, output_size);
	return *output ? 0 : error_errno(err, ERR_SYSTEM, "cannot read what gpg signed");
}

int openpgp_sign(const char *key, const void *data, size_t size, char **signature,
		 size_t *signature_size, char fingerprint[static FINGERPRINT_SIZE],
		 struct error **err)
{
	return sign(key, "--detach-sign", data, size, signature, signature_size, fingerprint, err);
}

int openpgp_clear_sign(const char *key, const char *text, char **file, struct error **err)
{
	char fingerprint[FINGERPRINT_SIZE];
	size_t size;

	return sign(key, "--clear-sign", text, strlen(text), file, &size, fingerprint, err);
}

/* --- verifying --- */

/* Another signature in the same bytes would make it unclear whose signature was good. */
static int judge_verifying(const char *file, char *text, char fingerprint[static FINGERPRINT_SIZE],
			   struct error **err)
{
	const char *at = text, *valid, *wrong;

	for (size_t count = 0; status_next(&at, "NEWSIG"); count++)
		if (count)
			return error_set(err, ERR_INPUT,
					 "%s: its signature consists of several: an envelope of "
					 "rootlet has one",
					 file);
	at = text;
	valid = status_next(&at, "VALIDSIG ");
	/* The last word is the fingerprint of the primary key. */
	if (!valid || !take_fingerprint(valid, 9, fingerprint))
		fingerprint[0] = '\0';
	wrong = signature_judge(text);
	if (wrong)
		return error_set(err, ERR_TRUST,
				 "%s: the signature is not valid: %s; name the right keyring with "
				 "--keyring FILE",
				 file, wrong);
	return fingerprint[0]
		       ? 0
		       : error_set(err, ERR_SYSTEM, "%s: gpgv reported no fingerprint", file);
}

int openpgp_verify(const char *keyring, const char *file, const void *data, size_t size,
		   const char *signature, size_t signature_size,
		   char fingerprint[static FINGERPRINT_SIZE], struct error **err)
{
	/* gpgv looks for a name without a slash in its home directory. */
	_cleanup_free_ char *path = realpath(keyring, NULL);
	char signed_by[48];
	const char *const argv[] = {
		"gpgv",	       "--homedir", "/nonexistent", "--keyring", path,
		"--status-fd", "1",	    signed_by,	    "-",	 NULL
	};
	_cleanup_close_ int in = -1, out = -1, said = -1;
	_cleanup_free_ char *text = NULL;
	size_t length;
	pid_t pid;
	int status;

	if (!path || access(path, R_OK) < 0)
		return error_errno(err, ERR_INPUT, "cannot read the keyring %s", keyring);
	if ((in = memory_of("payload", data, size, err)) < 0 ||
	    (out = memory_of("signature", signature, signature_size, err)) < 0 ||
	    (said = memory_of("status", "", 0, err)) < 0)
		return -1;
	/* The child has only its standard streams open. */
	snprintf(signed_by, sizeof(signed_by), "/proc/%d/fd/%d", getpid(), out);
	if (child_start(argv, (int[3]){ in, said, -1 }, &pid, err) < 0)
		return -1;
	status = child_wait(pid, err);
	if (status < 0)
		return -1;
	if (status == 127)
		return error_set(err, ERR_HOST, "gpgv is missing; run: apt install gpgv");
	text = memory_read(said, STATUS_BYTES_MAX, &length);
	return text ? judge_verifying(file, text, fingerprint, err)
		    : error_errno(err, ERR_SYSTEM, "cannot read what gpgv printed");
}
