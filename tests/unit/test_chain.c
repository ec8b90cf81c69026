/* helper/worker/verify/chain.c: the privileged half's verdict on complete signed files. The code
 * uses fixed paths in its jail, so this test has a private /tmp. */
#include "helper/worker/verify/chain.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/write_all.h"
#include "signed_files.h"

static int memory_file(const char *data, size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	return fd >= 0 && write_all(fd, data, size) == 0 ? fd : -1;
}

static bool place_keyring(const char *data, size_t size)
{
	int fd = open("/tmp/keyring", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool good = fd >= 0 && write_all(fd, data, size) == 0;

	close(fd);
	return good;
}

static void check_file(const struct signed_file *row, const char *data, size_t size)
{
	static struct chain chain;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(data, size);
	int result;

	memset(&chain, 0, sizeof(chain));
	snprintf(chain.suite, sizeof(chain.suite), SIGNED_SUITE);
	result = chain_release(&chain, "", fd, 0, &err);
	if (row->wrong)
		tap_check(result == -1 && err && err->code == ERR_TRUST &&
				  strstr(err->message, row->wrong) && chain.pocket_count == 0,
			  "refused: %s", row->file);
	else
		tap_check(result == 0 && chain.pocket_count == 1 &&
				  strncmp(chain.pockets[0].release, SIGNED_TEXT,
					  strlen(SIGNED_TEXT)) == 0 &&
				  !strstr(chain.pockets[0].release, "PGP"),
			  "accepted: %s", row->file);
	if (err)
		printf("# %s\n", err->message);
	free(chain.pockets[0].release);
}

#define HEAD "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
#define BODY                                                                                       \
	"Origin: Test\n"                                                                           \
	"Suite: jammy-updates\n"                                                                   \
	"Codename: jammy\n"                                                                        \
	"Date: Sat, 11 Jul 2026 10:16:37 UTC\n"                                                    \
	"- - a line that begins with a dash\n"                                                     \
	"SHA256:\n"                                                                                \
	" 0000000000000000000000000000000000000000000000000000000000000000 0 main/x\n"
#define SIGNATURE                                                                                  \
	"-----BEGIN PGP SIGNATURE-----\n"                                                          \
	"\n"                                                                                       \
	"iIcEARYIAC8WIQSnb1yVfIrcX2Ai2WRpYtv51T0zCwUCXgvhABEcdGVzdEBleGFt\n"                       \
	"cGxlLm9yZwAKCRBpYtv51T0zC66WAQDRbjPL6YCoVWiCq4UWu2GXBUsuRtVgeXLD\n"                       \
	"cLcVB35niQEAtwuGtnYBsIA3bvXxnAUHv2AiEO0pKuH4jGnAKWpv0QA=\n"                               \
	"=Z79a\n"                                                                                  \
	"-----END PGP SIGNATURE-----\n"

/* Public keys made for this test; BODY is signed with the first. */
// clang-format off
static const unsigned char key_test[] = {
	0x98, 0x33, 0x04, 0x5e, 0x0b, 0xe1, 0x00, 0x16, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01,
	0xda, 0x47, 0x0f, 0x01, 0x01, 0x07, 0x40, 0x5a, 0xb5, 0xf8, 0x09, 0xd5, 0x69, 0x5b,
	0x45, 0xae, 0xaf, 0x96, 0xbe, 0xef, 0x07, 0x37, 0x2a, 0x92, 0x22, 0xd1, 0x54, 0xe2,
	0xfd, 0xe4, 0xa4, 0x7a, 0x26, 0xd8, 0x7b, 0x54, 0x94, 0x68, 0x49, 0xb4, 0x17, 0x74,
	0x65, 0x73, 0x74, 0x20, 0x3c, 0x74, 0x65, 0x73, 0x74, 0x40, 0x65, 0x78, 0x61, 0x6d,
	0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x3e, 0x88, 0x90, 0x04, 0x13, 0x16, 0x08,
	0x00, 0x38, 0x16, 0x21, 0x04, 0xa7, 0x6f, 0x5c, 0x95, 0x7c, 0x8a, 0xdc, 0x5f, 0x60,
	0x22, 0xd9, 0x64, 0x69, 0x62, 0xdb, 0xf9, 0xd5, 0x3d, 0x33, 0x0b, 0x05, 0x02, 0x5e,
	0x0b, 0xe1, 0x00, 0x02, 0x1b, 0x03, 0x05, 0x0b, 0x09, 0x08, 0x07, 0x02, 0x06, 0x15,
	0x0a, 0x09, 0x08, 0x0b, 0x02, 0x04, 0x16, 0x02, 0x03, 0x01, 0x02, 0x1e, 0x01, 0x02,
	0x17, 0x80, 0x00, 0x0a, 0x09, 0x10, 0x69, 0x62, 0xdb, 0xf9, 0xd5, 0x3d, 0x33, 0x0b,
	0x2e, 0xb8, 0x01, 0x00, 0xfc, 0xc1, 0x65, 0x3a, 0xff, 0xac, 0x43, 0xec, 0x3d, 0x03,
	0x30, 0x7a, 0x58, 0xdf, 0x1f, 0x1c, 0xbd, 0x87, 0xcb, 0x5c, 0x2f, 0x82, 0x7e, 0xc2,
	0xfc, 0xf4, 0x16, 0xdc, 0x45, 0x65, 0x4a, 0x77, 0x01, 0x00, 0xb9, 0xfa, 0xb7, 0x82,
	0x8e, 0x76, 0x79, 0x2e, 0x66, 0x54, 0xc2, 0x7b, 0xc2, 0x84, 0xf3, 0xf1, 0xfb, 0x9f,
	0x3d, 0xe3, 0x66, 0x73, 0x10, 0x0f, 0x6f, 0x5b, 0x19, 0x48, 0x25, 0x44, 0x9f, 0x00,
};

static const unsigned char key_other[] = {
	0x98, 0x33, 0x04, 0x5e, 0x0b, 0xe1, 0x00, 0x16, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01,
	0xda, 0x47, 0x0f, 0x01, 0x01, 0x07, 0x40, 0x3e, 0x26, 0xe0, 0x66, 0x48, 0x5b, 0x02,
	0x04, 0x0b, 0xee, 0xbc, 0x0e, 0x08, 0x60, 0xde, 0xa8, 0xc5, 0x25, 0xfe, 0x13, 0x05,
	0xd6, 0x6a, 0xf5, 0x16, 0x3e, 0x01, 0xb4, 0xea, 0x47, 0xb3, 0x0d, 0xb4, 0x19, 0x6f,
	0x74, 0x68, 0x65, 0x72, 0x20, 0x3c, 0x6f, 0x74, 0x68, 0x65, 0x72, 0x40, 0x65, 0x78,
	0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x3e, 0x88, 0x90, 0x04, 0x13,
	0x16, 0x08, 0x00, 0x38, 0x16, 0x21, 0x04, 0x7b, 0x9c, 0x33, 0x67, 0x5d, 0x46, 0xfd,
	0x3a, 0x81, 0xfd, 0xe1, 0x59, 0x71, 0xd2, 0xe8, 0x73, 0x7b, 0x4d, 0x24, 0x83, 0x05,
	0x02, 0x5e, 0x0b, 0xe1, 0x00, 0x02, 0x1b, 0x03, 0x05, 0x0b, 0x09, 0x08, 0x07, 0x02,
	0x06, 0x15, 0x0a, 0x09, 0x08, 0x0b, 0x02, 0x04, 0x16, 0x02, 0x03, 0x01, 0x02, 0x1e,
	0x01, 0x02, 0x17, 0x80, 0x00, 0x0a, 0x09, 0x10, 0x71, 0xd2, 0xe8, 0x73, 0x7b, 0x4d,
	0x24, 0x83, 0x77, 0x2a, 0x01, 0x00, 0x95, 0xa8, 0x0a, 0xb2, 0x7e, 0x4e, 0x6a, 0xe5,
	0x67, 0x07, 0xa8, 0x01, 0x79, 0x86, 0xfe, 0xc3, 0xf0, 0xb8, 0x6e, 0x60, 0xeb, 0xbb,
	0xe3, 0xde, 0x4b, 0x66, 0x7a, 0xe7, 0x2c, 0xe5, 0xe2, 0xdc, 0x00, 0xff, 0x6b, 0xaf,
	0xe9, 0xbf, 0x7e, 0x94, 0xc9, 0x67, 0x3e, 0xfb, 0xe8, 0xd3, 0x84, 0x2f, 0xa2, 0x6f,
	0x05, 0x3a, 0x14, 0xe6, 0x2d, 0xfc, 0x13, 0xfa, 0x60, 0xbf, 0xd4, 0xfe, 0x67, 0xfd,
	0x48, 0x0b,
};
// clang-format on

/* Only a single complete text with a good signature is accepted, and only its signed part. */
static const struct signature_row {
	const char *what, *file;
	bool good;
} signature_rows[] = {
	{ "good", HEAD BODY SIGNATURE, true },
	{ "good, with empty lines after it", HEAD BODY SIGNATURE "\n\n", true },
	{ "altered", HEAD "Label: x\n" BODY SIGNATURE, false },
	{ "text before", "Suite: x\n\n" HEAD BODY SIGNATURE, false },
	{ "an empty line before", "\n" HEAD BODY SIGNATURE, false },
	{ "text after", HEAD BODY SIGNATURE "Suite: x\n", false },
	{ "twice", HEAD BODY SIGNATURE HEAD BODY SIGNATURE, false },
	{ "text in place of the hash name",
	  "-----BEGIN PGP SIGNED MESSAGE-----\nSuite: x\n\n" BODY SIGNATURE, false },
	{ "an unescaped dash", HEAD "-x\n" BODY SIGNATURE, false },
	{ "no signature", HEAD BODY, false },
	{ "an empty signature",
	  HEAD BODY "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n", false },
	{ "a signature without an end", HEAD BODY "-----BEGIN PGP SIGNATURE-----\n\niHUEARYKAB0W\n",
	  false },
	{ "not signed at all", "Origin: Test\nSuite: jammy\n", false },
	{ "empty", "", false },
};

static void check_signature(const char *what, const char *file, size_t size, bool good)
{
	static struct chain chain;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(file, size);
	const char *text;
	int result;

	memset(&chain, 0, sizeof(chain));
	snprintf(chain.suite, sizeof(chain.suite), "jammy");
	result = chain_release(&chain, "updates", fd, 0, &err);
	text = chain.pockets[0].release;
	if (good)
		tap_check(result == 0 && strncmp(text, "Origin: Test\n", 13) == 0 &&
				  strstr(text, "\n- a line") && !strstr(text, "PGP"),
			  "signature: %s", what);
	else
		tap_check(result == -1 && !text && err && err->code == ERR_TRUST, "signature: %s",
			  what);
	if (err)
		printf("# %s\n", err->message);
	free(chain.pockets[0].release);
}

static void check_signatures(void)
{
	static const char file[] = HEAD BODY SIGNATURE, nul[] = HEAD "\0" BODY SIGNATURE;

	if (!place_keyring((const char *)key_test, sizeof(key_test)))
		return tap_check(false, "a keyring");
	for (size_t i = 0; i < sizeof(signature_rows) / sizeof(*signature_rows); i++)
		check_signature(signature_rows[i].what, signature_rows[i].file,
				strlen(signature_rows[i].file), signature_rows[i].good);
	check_signature("a NUL in the text", nul, sizeof(nul) - 1, false);
	if (!place_keyring((const char *)key_other, sizeof(key_other)))
		return tap_check(false, "another keyring");
	check_signature("by a key that the keyring does not have", file, sizeof(file) - 1, false);
}

/* The same without a build, with a separate keyring. */
static void check_without_build(const char *data, size_t size, const char *keyring,
				size_t keyring_size)
{
	static struct chain chain;
	static struct task task = { .check_release.suite = SIGNED_SUITE };
	_cleanup_close_ int fd = memory_file(data, size);

	for (int good = 0; good < 2; good++) {
		_cleanup_error_ struct error *err = NULL;
		_cleanup_close_ int keys =
			good ? memory_file(keyring, keyring_size)
			     : memory_file((const char *)key_other, sizeof(key_other));
		int result = chain_check_release(&chain, &task, fd, keys, &err);

		tap_check(good ? result == 0 && chain.pocket_count == 1
			       : result == -1 && err && err->code == ERR_TRUST,
			  "without a build: by a key that the keyring %s",
			  good ? "has" : "does not have");
	}
	free(chain.pockets[0].release);
}

/* As of which time a file's dates are checked. */
static const struct dated_row {
	const char *file;
	uint32_t dated;
	const char *wrong; /* NULL: accepted */
} dated_rows[] = {
	{ "valid-until-passed", 1590969600, NULL }, /* 1 June 2020, its date */
	{ "valid-until-passed", 1591574400, NULL }, /* 8 June, its last second */
	{ "valid-until-passed", 1591574401, "expired" },
	{ "valid-until-passed", 1590966000, NULL }, /* 31 May, 23:00: clocks may differ */
	{ "valid-until-passed", 1590965999, "in the future" },
	{ "valid-until-passed", UINT32_MAX, "expired" },
	{ "date-ahead", UINT32_MAX, "in the future" },
	{ "altered", 1590969600, "does not match its text" },
	{ "other-suite", 1590969600, "another release or pocket" },
};

static void check_dated(const struct dated_row *row, const char *data, size_t size)
{
	static struct chain chain;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(data, size);
	int result;

	memset(&chain, 0, sizeof(chain));
	snprintf(chain.suite, sizeof(chain.suite), SIGNED_SUITE);
	result = chain_release(&chain, "", fd, row->dated, &err);
	tap_check(row->wrong ? result == -1 && err && err->code == ERR_TRUST &&
				       strstr(err->message, row->wrong)
			     : result == 0,
		  "%s, as of %u: %s", row->file, row->dated, row->wrong ? row->wrong : "accepted");
	free(chain.pockets[0].release);
}

/* The archive's keyring lacks the signer, or the repository's does. */
static void check_repository(const char *data, size_t size, const char *keyring,
			     size_t keyring_size, bool of_repository)
{
	static struct chain chain;
	static struct task task = { .operation = OP_REPOSITORY,
				    .repository = { .name = "repository-2",
						    .suite = SIGNED_SUITE } };
	const char *other = (const char *)key_other;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(data, size), again = memory_file(data, size);
	_cleanup_close_ int keys = of_repository ? memory_file(keyring, keyring_size)
						 : memory_file(other, sizeof(key_other));
	bool placed = of_repository ? place_keyring(other, sizeof(key_other))
				    : place_keyring(keyring, keyring_size);
	int repository, release;

	memset(&chain, 0, sizeof(chain));
	snprintf(chain.suite, sizeof(chain.suite), SIGNED_SUITE);
	repository = chain_repository(&chain, &task, fd, keys, &err);
	release = chain_release(&chain, "", again, 0, NULL);
	tap_check(placed && repository == (of_repository ? 0 : -1) &&
			  release == (of_repository ? -1 : 0) && chain.pocket_count == 1,
		  "only the keyring of %s has the key",
		  of_repository ? "a repository" : "the archive");
	tap_check(strcmp(chain.pockets[0].name, of_repository ? "repository-2" : "") == 0 &&
			  strcmp(chain.pockets[0].suite, SIGNED_SUITE) == 0 &&
			  (strlen(chain.pockets[0].keyring) == CHAIN_KEYRING_SIZE - 1) ==
				  of_repository,
		  "it is recorded as %s", of_repository ? "a repository" : "the archive");
	tap_check(of_repository ||
			  (err && err->code == ERR_TRUST && strstr(err->message, "--repository")),
		  "the refusal is of the right kind");
	free(chain.pockets[0].release);
}

static void check_pockets(const char *data, size_t size)
{
	static struct chain chain = { .suite = SIGNED_SUITE, .pocket_count = CHAIN_POCKETS_MAX };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(data, size);

	tap_check(chain_release(&chain, "", fd, 0, &err) == -1 && err && err->code == ERR_REFUSED &&
			  chain.pocket_count == CHAIN_POCKETS_MAX,
		  "one pocket too many is refused");
}

static bool write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, text, strlen(text)) == 0;
}

/* Mounts a private /tmp for this process, as root or not; returns true on success. */
static bool enter_own_tmp(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "%u %u 1", getuid(), getuid());
	snprintf(gids, sizeof(gids), "%u %u 1", getgid(), getgid());
	if (unshare(CLONE_NEWNS) < 0 &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	     !write_text("/proc/self/setgroups", "deny") ||
	     !write_text("/proc/self/uid_map", uids) || !write_text("/proc/self/gid_map", gids)))
		return false;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/tmp", "tmpfs", 0, "mode=1777") == 0;
}

int main(void)
{
	char *files[SIGNED_FILES], *keyring;
	size_t sizes[SIGNED_FILES], keyring_size;

	/* First, because the recorded files may be in /tmp. */
	for (size_t i = 0; i < SIGNED_FILES; i++)
		files[i] = signed_read(signed_files[i].file, &sizes[i]);
	keyring = signed_read("keyring.gpg", &keyring_size);
	if (!enter_own_tmp())
		tap_check(false, "a private /tmp: %s", strerror(errno));
	else if (!keyring || !place_keyring(keyring, keyring_size))
		tap_check(false, "the keyring is in place");
	else
		for (size_t i = 0; i < SIGNED_FILES; i++)
			if (files[i])
				check_file(&signed_files[i], files[i], sizes[i]);
	for (size_t i = 0; i < sizeof(dated_rows) / sizeof(*dated_rows); i++)
		for (size_t j = 0; j < SIGNED_FILES; j++)
			if (files[j] && strcmp(signed_files[j].file, dated_rows[i].file) == 0)
				check_dated(&dated_rows[i], files[j], sizes[j]);
	if (files[0]) {
		check_pockets(files[0], sizes[0]);
		check_without_build(files[0], sizes[0], keyring, keyring_size);
		check_repository(files[0], sizes[0], keyring, keyring_size, true);
		check_repository(files[0], sizes[0], keyring, keyring_size, false);
	}
	check_signatures();
	for (size_t i = 0; i < SIGNED_FILES; i++)
		free(files[i]);
	free(keyring);
	return tap_done();
}
