#include "frontend/commands/doctor_ci.h"

#include <stdio.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"

#define SYSCTL "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
#define UNCONFINED "security_opt = [\"seccomp=unconfined\", \"systempaths=unconfined\"]"
#define ELSEWHERE                                                                                  \
	"make the rootfs elsewhere, and run: rootlet fstests --cluster kubernetes; its pods need " \
	"no ids"

#define RUNNER "the [runners.docker] section of the runner's config.toml"
#define POD "the container's securityContext"

/* A line that depends on the system. WHERE NULL: among its COMMANDS. */
struct ci_line {
	const char *what, *where, *line;
};

/* The first one whose variable is set, and whose UNLESS is not. Sources: GitHub's and GitLab's
 * lists of variables (GitLab sets CI_DISPOSABLE_ENVIRONMENT for all executors but shell and ssh),
 * and Kubernetes' page about services. AS_ROOT is what a command needs before it. */
static const struct ci_system {
	const char *name, *by, *also, *commands, *as_root;
	struct ci_line lines[6];
} ci_systems[] = {
	{ "GitHub Actions",
	  "GITHUB_ACTIONS",
	  NULL,
	  "a step of the workflow, after \"run:\"",
	  "sudo ",
	  { { "user namespaces", NULL, SYSCTL },
	    { "KVM", NULL, "sudo chmod 666 /dev/kvm" },
	    { "space for rootfs", NULL,
	      "sudo rm -rf /usr/share/dotnet /usr/local/lib/android" } } },
	{ "GitLab CI/CD, in a container",
	  "GITLAB_CI",
	  "CI_DISPOSABLE_ENVIRONMENT",
	  "before_script of the job",
	  "",
	  { { "user namespaces", RUNNER, UNCONFINED },
	    { "seal of VMs", RUNNER, UNCONFINED },
	    { "KVM", RUNNER, "devices = [\"/dev/kvm\"]" } } },
	{ "GitLab CI/CD, shell executor",
	  "GITLAB_CI",
	  NULL,
	  "the runner's machine, once",
	  "sudo ",
	  { { "user namespaces", NULL, SYSCTL },
	    { "KVM", NULL, "sudo usermod --append --groups kvm gitlab-runner" } } },
	{ "Kubernetes",
	  "KUBERNETES_SERVICE_HOST",
	  NULL,
	  "the image of the pod",
	  "",
	  { { "sub-id ranges", "the job", ELSEWHERE },
	    { "newuidmap, newgidmap", "the job", ELSEWHERE },
	    { "user namespaces", POD, "seccompProfile: {type: Unconfined}" },
	    { "seal of VMs", POD, "procMount: Unmasked" } } },
};

static const struct ci_system *find_ci_system(void)
{
	for (size_t i = 0; i < sizeof(ci_systems) / sizeof(*ci_systems); i++)
		if (getenv(ci_systems[i].by) && (!ci_systems[i].also || getenv(ci_systems[i].also)))
			return &ci_systems[i];
	return NULL;
}

static json_t *ci_row(const char *what, const char *where, const char *line)
{
	return json_pack("{s:s, s:s, s:o}", "what", what, "where", where, "line", json_text(line));
}

/* Answers no question: apt asks before it installs more than it was told to. */
static char *ci_command(const struct ci_system *s, const char *fix)
{
	bool apt = text_has_prefix(fix, "apt install ");
	char *command = NULL;

	if (asprintf(&command, "%s%s%s", s->as_root, apt ? "apt-get -y install " : "",
		     apt ? fix + strlen("apt install ") : fix) < 0)
		return NULL;
	return command;
}

static json_t *ci_line_for(const struct ci_system *s, const char *what, const struct finding *f)
{
	_cleanup_free_ char *command = NULL;

	for (const struct ci_line *l = s->lines; l->what; l++)
		if (strcmp(l->what, what) == 0)
			return ci_row(what, l->where ? l->where : s->commands, l->line);
	if (!strstr(f->fix, " install "))
		return NULL;
	command = ci_command(s, f->fix);
	return command ? ci_row(what, s->commands, command) : NULL;
}

json_t *ci_describe(const char *const *names, const struct finding *findings, size_t count)
{
	const struct ci_system *s = find_ci_system();
	json_t *lines = json_array();

	for (size_t i = 0; s && i < count; i++) {
		json_t *row = findings[i].verdict == VERDICT_OK
				      ? NULL
				      : ci_line_for(s, names[i], &findings[i]);

		if (row)
			json_array_append_new(lines, row);
	}
	return json_pack("{s:s?, s:s?, s:o}", "system", s ? s->name : NULL, "by", s ? s->by : NULL,
			 "lines", lines);
}

static const char *ci_text(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void ci_print(json_t *ci)
{
	const json_t *lines = json_object_get(ci, "lines");
	json_t *row;
	size_t i;

	if (!*ci_text(ci, "system")) {
		printf("\nCI system: none known by its environment variables\n");
		return;
	}
	printf("\nCI system: %s, by %s\n", ci_text(ci, "system"), ci_text(ci, "by"));
	if (!json_array_size(lines))
		printf("Nothing has to be added to its configuration.\n");
	json_array_foreach(lines, i, row) printf("%s: add to %s:\n    %s\n", ci_text(row, "what"),
						 ci_text(row, "where"), ci_text(row, "line"));
}
