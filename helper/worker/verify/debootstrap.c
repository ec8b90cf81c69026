#include "helper/worker/verify/debootstrap.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "helper/worker/copy.h"
#include "lib/beneath.h"
#include "lib/output.h"
#include "proto/note.h"

#define SCRIPTS "/usr/share/debootstrap/scripts/"

struct progress_state {
	int channel;
	uint64_t done, total;
};

/* Writes the stanza with a Filename in our mirror; every other field is the archive's. */
static int debootstrap_write_stanza(FILE *f, const struct chosen *chosen)
{
	const char *text = chosen->stanza.text, *end = text + chosen->stanza.length;
	char hex[2 * SHA256_LEN + 1];
	size_t size;
	const char *filename = stanza_field(text, chosen->stanza.length, "Filename", &size);

	sha256_to_hex(chosen->stanza.sha256, hex);
	if (!filename)
		return -1;
	fwrite(text, 1, (size_t)(filename - text), f);
	fprintf(f, "pool/%s.deb", hex);
	fwrite(filename + size, 1, (size_t)(end - filename) - size, f);
	return fputc('\n', f) == EOF ? -1 : 0;
}

static int write_packages(const struct chain *c, const char *path, struct error **err)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	for (size_t i = 0; f && i < c->chosen_count; i++)
		if (debootstrap_write_stanza(f, &c->chosen[i]) < 0)
			return error_set(err, ERR_TRUST, "package %s: the index names no file",
					 c->chosen[i].name);
	if (!f || fflush(f) != 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	return 0;
}

static int write_release(const struct chain *c, const char *path, const char *packages,
			 struct error **err)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");
	_cleanup_close_ int from = open(packages, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	uint8_t sum[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	uint64_t size;

	if (!f || from < 0 || null < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	if (copy_hashed(from, null, UINT64_MAX, sum, &size, err) < 0)
		return -1;
	sha256_to_hex(sum, hex);
	fprintf(f,
		"Suite: %s\nCodename: %s\nArchitectures: %s\nComponents: main\nSHA256:\n"
		" %s %ju main/binary-%s/Packages\n",
		c->suite, c->suite, c->arch, hex, (uintmax_t)size, c->arch);
	return fflush(f) != 0 ? error_errno(err, ERR_SYSTEM, "cannot write %s", path) : 0;
}

static int lay_out(const struct chain *c, struct error **err)
{
	char dir[128], path[320], release[160];

	mkdir(MIRROR "/dists", 0755);
	snprintf(dir, sizeof(dir), MIRROR "/dists/%s", c->suite);
	mkdir(dir, 0755);
	snprintf(release, sizeof(release), "%s/Release", dir);
	snprintf(path, sizeof(path), "%s/main", dir);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/main/binary-%s", dir, c->arch);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/main/binary-%s/Packages", dir, c->arch);
	if (write_packages(c, path, err) < 0)
		return -1;
	return write_release(c, release, path, err);
}

/* "--include=" with everything that debootstrap would not install by itself. */
static char *include_option(const struct chain *c)
{
	char *option = NULL;
	size_t size;
	FILE *f = open_memstream(&option, &size);
	const char *between = "";

	if (!f)
		return NULL;
	fputs("--include=", f);
	for (size_t i = 0; i < c->chosen_count; i++) {
		const struct stanza *s = &c->chosen[i].stanza;

		if (stanza_field_is(s->text, s->length, "Essential", "yes") ||
		    stanza_field_is(s->text, s->length, "Priority", "required"))
			continue;
		fprintf(f, "%s%s", between, c->chosen[i].name);
		between = ",";
	}
	fclose(f);
	return option;
}

static void debootstrap_count_line(const char *line, void *context)
{
	struct progress_state *p = context;
	struct note note = { .kind = NOTE_PROGRESS, .text = "Unpacking base packages" };

	if (strncmp(line, "I: Retrieving ", 14) != 0 && strncmp(line, "I: Validating ", 14) != 0 &&
	    strncmp(line, "I: Extracting ", 14) != 0)
		return;
	note.progress.done = ++p->done;
	note_send(p->channel, &note, -1);
}

static _Noreturn void debootstrap_run(const char *const *argv, int text)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(text, 1) < 0 || dup2(text, 2) < 0)
		_exit(126);
	close(3);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* Runs ARGV and feeds its output to OUTPUT. Returns its exit status, or -1 with ERR set. */
static int debootstrap_run_program(const char *const *argv, struct output *output,
				   struct error **err)
{
	char data[8192];
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start %s", argv[0]);
	if (pid == 0)
		debootstrap_run(argv, ends[1]);
	close(ends[1]);
	while ((n = RETRY_ON_EINTR(read(ends[0], data, sizeof(data)))) > 0)
		output_feed(output, data, (size_t)n);
	output_feed(output, "\n", 1);
	close(ends[0]);
	if (RETRY_ON_EINTR(waitpid(pid, &status, 0)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot wait for %s", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* NULL if debootstrap has a script for the suite; else the script that newer suites of the
 * distribution link to. */
static const char *script_of(const struct chain *c)
{
	char path[256];

	snprintf(path, sizeof(path), SCRIPTS "%s", c->suite);
	if (access(path, R_OK) == 0)
		return NULL;
	return strstr(c->pockets[0].release, "\nOrigin: Ubuntu") ||
			       strncmp(c->pockets[0].release, "Origin: Ubuntu", 14) == 0
		       ? SCRIPTS "gutsy"
		       : SCRIPTS "sid";
}

int debootstrap_first_stage(const struct chain *c, int channel, struct error **err)
{
	struct progress_state progress = { .channel = channel };
	struct output output = { .line = debootstrap_count_line, .context = &progress };
	_cleanup_free_ char *include = include_option(c);
	char arch[WORD_SIZE + 8], tail[1024];
	const char *argv[] = {
		"debootstrap", "--foreign", "--variant=minbase", "--no-check-gpg", arch,
		include,       c->suite,    STAGING "/tree",	 "file://" MIRROR, script_of(c),
		NULL
	};
	_cleanup_close_ int staging = -1;
	int status;

	if (!include || c->chosen_count == 0)
		return error_set(err, ERR_REFUSED, "Bootstrap refused: no package was sent");
	snprintf(arch, sizeof(arch), "--arch=%s", c->arch);
	if (lay_out(c, err) < 0)
		return -1;
	status = debootstrap_run_program(argv, &output, err);
	if (status <= 0)
		return status;
	if (status == 127)
		return error_set(err, ERR_HOST,
				 "debootstrap is missing; run: apt install debootstrap");
	output_tail(&output, tail, sizeof(tail));
	staging = open(STAGING, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (output.full || tree_disk_full(staging))
		return error_set(err, ERR_SPACE,
				 "cannot unpack packages: no space left on the disk; free some "
				 "space, or choose another directory with --path");
	return error_set(err, ERR_PACKAGE, "debootstrap's first stage failed with status %d: %s",
			 status, tail);
}
