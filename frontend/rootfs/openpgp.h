/* OpenPGP signatures: made by the user's gpg(1) with a key of theirs, and verified by
 * gpgv(1) under the same rule as release files (lib/signature.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

#define FINGERPRINT_SIZE 65 /* of an OpenPGP key, in hex: 40 or 64 digits, and a NUL */

/* Whether KEY is a fingerprint or long key id in hex. Others, such as "me@example.org", may match
 * any key that somebody else made. */
bool openpgp_valid_key(const char *key);
#define OPENPGP_KEY_ADVICE                                                                         \
	"is not a fingerprint or a long key id, 16 to 64 hexadecimal digits; to list your keys, "  \
	"run: gpg --list-secret-keys"

/* Makes a detached signature of SIZE bytes of DATA with KEY. The caller frees SIGNATURE.
 * FINGERPRINT becomes that of the key or subkey that signed. ERR_HOST if gpg is missing,
 * ERR_REFUSED with what gpg says if it does not sign. */
int openpgp_sign(const char *key, const void *data, size_t size, char **signature,
		 size_t *signature_size, char fingerprint[static FINGERPRINT_SIZE],
		 struct error **err);

/* TEXT, clear-signed as release files are; the caller frees FILE. Errors as above. Format: RFC 4880
 * section 7. */
int openpgp_clear_sign(const char *key, const char *text, char **file, struct error **err);

/* Verifies one signature. KEYRING is a file with public keys, not armored. FINGERPRINT becomes that
 * of the primary key that signed. ERR_TRUST says what is wrong with the signature of FILE. */
int openpgp_verify(const char *keyring, const char *file, const void *data, size_t size,
		   const char *signature, size_t signature_size,
		   char fingerprint[static FINGERPRINT_SIZE], struct error **err);
