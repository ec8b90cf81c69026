#include "lib/signature.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_LINE "-----BEGIN PGP SIGNED MESSAGE-----"
#define SIGNATURE_LINE "-----BEGIN PGP SIGNATURE-----"
#define END_LINE "-----END PGP SIGNATURE-----"

/* Takes the line at *AT, without its end and trailing white space, which no signature covers. False
 * at the end of the text. */
static bool signature_next_line(const char **at, const char *end, const char **line, size_t *length)
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

/* Skips headers such as "Hash: SHA256" up to the empty line; nothing else is allowed there. */
static bool skip_armor_headers(const char **at, const char *end)
{
	const char *line;
	size_t length;

	while (signature_next_line(at, end, &line, &length)) {
		if (length == 0)
			return true;
		if (length < 6 || memcmp(line, "Hash: ", 6) != 0)
			return false;
	}
	return false;
}

/* Copies the signed text, with dashes unescaped, to TEXT (as long as the file), up to the line that
 * begins the signature. The last line end is not signed. */
static bool signature_take_text(const char **at, const char *end, char *text,
				const char **signature)
{
	const char *line;
	size_t length, used = 0;

	while (*signature = *at, signature_next_line(at, end, &line, &length)) {
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

bool signature_split(const char *data, size_t size, char *text, const char **signature,
		     size_t *signature_size)
{
	const char *at = data, *end = data + size, *line;
	size_t length;
	bool ended = false;

	if (memchr(data, '\0', size) || !signature_next_line(&at, end, &line, &length) ||
	    !line_is(line, length, MESSAGE_LINE) || !skip_armor_headers(&at, end) ||
	    !signature_take_text(&at, end, text, signature))
		return false;
	*signature_size = (size_t)(end - *signature);
	while (signature_next_line(&at, end, &line, &length)) {
		if ((ended && length) || line_is(line, length, SIGNATURE_LINE) ||
		    line_is(line, length, MESSAGE_LINE))
			return false;
		ended = ended || line_is(line, length, END_LINE);
	}
	return ended;
}

/* Accepted digests, by their numbers in RFC 4880 section 9.4. All others are weak or unused. */
static const char *const accepted[] = { "8" /* SHA-256 */, "9" /* SHA-384 */, "10" /* SHA-512 */ };

static bool is_accepted(const char *digest)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++)
		if (strcmp(digest, accepted[i]) == 0)
			return true;
	return false;
}

/* Each signature has one of these lines, and after GOODSIG a VALIDSIG. NULL: it may still be
 * good. */
static const struct {
	const char *word, *wrong;
} verdicts[] = {
	{ "NEWSIG", NULL },
	{ "GOODSIG ", NULL },
	{ "BADSIG ", "its signature does not match its text" },
	{ "ERRSIG ", "no key of the keyring signed it" },
	{ "EXPSIG ", "its signature has expired" },
	{ "EXPKEYSIG ", "the key of its signature has expired" },
	{ "REVKEYSIG ", "the key of its signature was revoked" },
};

static bool begins(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0;
}

/* VALIDSIG fingerprint date timestamp expiry version reserved key-algorithm digest class … */
static bool has_accepted_digest(const char *line)
{
	char digest[8];

	return sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %7s", digest) == 1 &&
	       is_accepted(digest);
}

const char *signature_judge(char *status)
{
	const char *wrong = "no key of the keyring signed it";
	bool good = false, valid = false;
	char *line, *rest = NULL;

	for (line = strtok_r(status, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!begins(line, "[GNUPG:] "))
			continue;
		line += strlen("[GNUPG:] ");
		if (begins(line, "BADSIG "))
			return "its signature does not match its text";
		if (begins(line, "NODATA") || begins(line, "BADARMOR"))
			return "its signature is malformed";
		for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
			if (!begins(line, verdicts[i].word))
				continue;
			good = begins(line, "GOODSIG ");
			wrong = verdicts[i].wrong ? verdicts[i].wrong : wrong;
		}
		if (!begins(line, "VALIDSIG ") || !good)
			continue;
		good = false;
		if (has_accepted_digest(line))
			valid = true;
		else
			wrong = "its signature uses a digest that can be forged";
	}
	return valid ? NULL : wrong;
}
