#include "frontend/release.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/deb822.h"
#include "lib/release_text.h"
#include "lib/signature.h"
#include "lib/write_all.h"

#define STATUS_MAX 65536

/* A file of its own in memory, which the program that is started inherits. */
static int memory_file(const char *name, const void *data, size_t size, struct error **err)
{
	_cleanup_close_ int fd = memfd_create(name, 0);

	if (fd < 0 || write_all(fd, data, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot check a signature");
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
	wrong = signature_judge(said);
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
	if (!signature_split(data, size, text, &signature, &signature_size)) {
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
	size_t length;
	const char *value = stanza_field(text, strlen(text), name, &length);

	*to = value ? strndup(value, length) : NULL;
	return value && !*to ? -1 : 0;
}

int release_parse(char *text, const char *what, struct release **out, struct error **err)
{
	_cleanup_(release_free) struct release *r = calloc(1, sizeof(*r));
	_cleanup_free_ char *owned = text, *by_hash = NULL;

	if (!r || field(text, "Origin", &r->origin) < 0 || field(text, "Date", &r->date) < 0 ||
	    field(text, "Acquire-By-Hash", &by_hash) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", what);
	r->text = STEAL_PTR(owned);
	r->by_hash = by_hash && strcasecmp(by_hash, "yes") == 0;
	r->made = release_text_time(r->text, "Date");
	if (r->made <= 0)
		return error_set(err, ERR_TRUST, "cannot trust %s: it has no date", what);
	*out = STEAL_PTR(r);
	return 0;
}

int release_check(const struct release *r, const char *suite, const char *pocket, time_t now,
		  struct error **err)
{
	return release_text_check(r->text, suite, pocket, now, err);
}

bool release_find(const struct release *r, const char *path, struct release_file *out)
{
	return release_text_find(r->text, path, out->sha256, &out->size);
}

void release_free(struct release **release)
{
	struct release *r = *release;

	if (!r)
		return;
	free(r->text);
	free(r->origin);
	free(r->date);
	free(r);
	*release = NULL;
}
