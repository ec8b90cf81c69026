#include "frontend/bisect/bisect_git.h"

#include <string.h>
#include <sys/mman.h>

#include "frontend/cli/child.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"

#define OUTPUT_MOST (16u << 20)
#define WORDS_MOST 16

void git_forget_environment(void)
{
	static const char *const names[] = { "GIT_DIR",	       "GIT_WORK_TREE",
					     "GIT_INDEX_FILE", "GIT_COMMON_DIR",
					     "GIT_PREFIX",     "GIT_OBJECT_DIRECTORY" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unsetenv(names[i]);
}

static const char **git_words(const char *directory, const char *const *words,
			      const char *line[static WORDS_MOST + 4])
{
	size_t count = 0;

	line[count++] = "git";
	line[count++] = "-C";
	line[count++] = directory;
	while (*words && count < WORDS_MOST + 3)
		line[count++] = *words++;
	line[count] = NULL;
	return line;
}

/* Its error messages go to ERRORS: the answers in OUT must be free of warnings and traces. */
static int git_run(const char *directory, const char *const *words, int out, int errors,
		   struct error **err)
{
	const char *line[WORDS_MOST + 4];
	pid_t pid;
	int status;

	if (child_start(git_words(directory, words, line), (int[]){ -1, out, errors }, &pid, err) <
	    0)
		return -1;
	status = child_wait(pid, err);
	if (status == 127)
		return error_set(err, ERR_HOST, "git is not installed; install it");
	return status;
}

int git_status(const char *directory, const char *const *words, struct error **err)
{
	return git_run(directory, words, -1, -1, err);
}

/* From the start of the file that git wrote to. */
static char *git_output(int fd, struct error **err)
{
	char *text;
	size_t length;

	if (lseek(fd, 0, SEEK_SET) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot read what git printed");
		return NULL;
	}
	text = descriptor_read(fd, "git's output", OUTPUT_MOST, NULL, err);
	length = text ? strlen(text) : 0;
	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
	return text;
}

char *git_read(const char *directory, const char *const *words, struct error **err)
{
	_cleanup_close_ int out = memfd_create("git", MFD_CLOEXEC);
	_cleanup_close_ int errors = memfd_create("git-errors", MFD_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int status;

	if (out < 0 || errors < 0) {
		error_errno(err, ERR_SYSTEM, "cannot run git");
		return NULL;
	}
	status = git_run(directory, words, out, errors, err);
	if (status < 0)
		return NULL;
	text = git_output(status == 0 ? out : errors, err);
	if (status == 0 || !text)
		return STEAL_PTR(text);
	error_set(err, *text ? ERR_SYSTEM : ERR_MISSING, "git %s failed in %s: %.400s", words[0],
		  directory, text_clean(text));
	return NULL;
}

char *git_commit(const char *directory, const char *what, struct error **err)
{
	_cleanup_free_ char *peeled = NULL;
	_cleanup_error_ struct error *git_err = NULL;
	char *commit;

	if (asprintf(&peeled, "%s^{commit}", what) < 0) {
		error_no_memory(err);
		return NULL;
	}
	commit = git_read(directory,
			  (const char *[]){ "rev-parse", "--verify", "--quiet", "--end-of-options",
					    peeled, NULL },
			  &git_err);
	if (!commit && git_err && git_err->code == ERR_SYSTEM)
		error_set(err, ERR_INPUT, "%s", error_text(git_err));
	else if (!commit && git_err && git_err->code != ERR_MISSING)
		*err = STEAL_PTR(git_err);
	else if (!commit)
		error_set(err, ERR_INPUT, "%s has no commit \"%.100s\"", directory, what);
	return commit;
}

char *git_subject(const char *directory, const char *commit, struct error **err)
{
	char *subject = git_read(directory,
				 (const char *[]){ "log", "-1", "--format=%s", commit, NULL }, err);

	return subject ? text_clean(subject) : NULL;
}
