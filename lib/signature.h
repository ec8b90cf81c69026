/* The only verdict on signed files, for both halves: what is a clear-signed text, and which
 * signatures are valid. gpgv(1) does the cryptography; its exit status does not answer this.
 * Formats: RFC 4880 section 7, doc/DETAILS of GnuPG. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Splits the clear-signed file DATA into its text, without the dashes that escape lines, and its
 * signature, which points into DATA. TEXT has room for SIZE + 2 bytes and gets a NUL. False if DATA
 * is anything but one signed text: anything outside of it might be taken for signed. */
bool signature_split(const char *data, size_t size, char *text, const char **signature,
		     size_t *signature_size);

/* Judges STATUS, gpgv's output on --status-fd, and modifies it. One good signature suffices,
 * because an archive that changes keys signs with the old and the new one. It must be made by a key
 * of the keyring that has neither expired nor been revoked, must not have expired itself, and must
 * use one of the accepted digests. No other signature by a known key may be bad. Returns NULL if
 * the file is good, or what is wrong with its signature. */
const char *signature_judge(char *status);
