#include "frontend/commands/finding.h"

#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/install_command.h"

#define SYSTEM_DIRS "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

__attribute__((format(printf, 3, 0))) static void
set_detail(struct finding *f, enum verdict verdict, const char *format, va_list ap)
{
	f->verdict = verdict;
	vsnprintf(f->detail, sizeof(f->detail), format, ap);
}

void finding_set(struct finding *f, enum verdict verdict, const char *fix, const char *format, ...)
{
	va_list ap;

	snprintf(f->fix, sizeof(f->fix), "%s", fix);
	va_start(ap, format);
	set_detail(f, verdict, format, ap);
	va_end(ap);
}

void finding_set_install(struct finding *f, enum verdict verdict, const char *package,
			 const char *format, ...)
{
	_cleanup_free_ char *command = NULL, *fix = NULL;
	va_list ap;

	if (asprintf(&command, "apt install %s", package) >= 0)
		fix = install_localize(command);
	snprintf(f->fix, sizeof(f->fix), "%s", fix ? fix : "");
	va_start(ap, format);
	set_detail(f, verdict, format, ap);
	va_end(ap);
}

void finding_set_join(struct finding *f, enum verdict verdict, const char *group,
		      const char *format, ...)
{
	const struct passwd *user = getpwuid(getuid());
	va_list ap;

	snprintf(f->fix, sizeof(f->fix),
		 "usermod --append --groups %s %s, as root, and log in again", group,
		 user ? user->pw_name : "YOU");
	va_start(ap, format);
	set_detail(f, verdict, format, ap);
	va_end(ap);
}

char *program_find(const char *name)
{
	const char *own = getenv("PATH");
	_cleanup_free_ char *dirs = NULL;
	char *state = NULL;

	if (asprintf(&dirs, "%s:" SYSTEM_DIRS, own ? own : "") < 0)
		return NULL;
	for (char *dir = strtok_r(dirs, ":", &state); dir; dir = strtok_r(NULL, ":", &state)) {
		_cleanup_free_ char *path = NULL;
		struct stat st;

		if (asprintf(&path, "%s/%s", dir, name) < 0)
			return NULL;
		if (access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return STEAL_PTR(path);
	}
	return NULL;
}
