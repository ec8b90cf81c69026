#include "frontend/commands/cluster_line.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/report.h"
#include "frontend/cluster/array_task.h"
#include "frontend/commands/vm_line.h"

#define TASKS_MOST 4096
#define TASK_CPUS_MOST 1024

/* Does not resolve symbolic links, which may lead elsewhere on another machine. */
static char *absolute_path(const char *path)
{
	_cleanup_free_ char *here = *path == '/' ? NULL : getcwd(NULL, 0);
	size_t length = strlen(path);
	char *absolute;

	while (length > 1 && path[length - 1] == '/')
		length--;
	if (*path != '/' && !here)
		return NULL;
	if (asprintf(&absolute, "%s%s%.*s", here ? here : "", here ? "/" : "", (int)length, path) <
	    0)
		return NULL;
	return absolute;
}

static int cluster_check_directory(const char *path, struct error **err)
{
	struct stat st;

	/* The path is a word of a shell script, and a pattern of sbatch's. */
	if (strpbrk(path, "'%\\\n"))
		return error_set(err, ERR_INPUT,
				 "--cluster-directory %s: must not have a ', %%, \\ or line break",
				 path);
	if (stat(path, &st) < 0)
		return error_errno(err, ERR_INPUT, "--cluster-directory %s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_INPUT, "--cluster-directory %s: not a directory", path);
	if (access(path, W_OK | X_OK) < 0)
		return error_errno(err, ERR_INPUT, "--cluster-directory %s", path);
	return 0;
}

/* Counts the processors of a task's guests, if the command line gives them. */
static int count_cpus(const struct parsed_line *line, struct cluster_request *r, struct error **err)
{
	unsigned int guests = 1, cpus = 0;

	if (r->jobs && strcmp(r->jobs, "auto") == 0)
		return 0;
	if (line_number(line, line_code(line, "--jobs"), TASK_CPUS_MOST, &guests, err) < 0 ||
	    line_number(line, line_code(line, "--cpus"), TASK_CPUS_MOST, &cpus, err) < 0)
		return -1;
	r->task_cpus = guests * cpus;
	return 0;
}

/* squeue and scancel would look for the tasks on this machine's own cluster. */
static int refuse_clusters(const char *what, struct error **err)
{
	return error_set(err, ERR_INPUT,
			 "%s does not go with --cluster slurm: rootlet finds its tasks only on the "
			 "cluster of this machine's slurm.conf; start it on a machine of the other "
			 "cluster",
			 what);
}

static bool names_clusters(const char *word)
{
	static const char option[] = "--clusters";

	return strncmp(word, "-M", 2) == 0 || strcmp(word, option) == 0 ||
	       (strncmp(word, option, strlen(option)) == 0 && word[strlen(option)] == '=');
}

static int check_environment(struct error **err)
{
	static const char *const names[] = { "SBATCH_CLUSTERS", "SLURM_CLUSTERS" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (getenv(names[i]))
			return refuse_clusters(names[i], err);
	return 0;
}

int cluster_read_line(const struct parsed_line *line, struct cluster_request *request,
		      char **directory, struct error **err)
{
	const char *word;
	size_t i = 0, count = 0;

	*request = (struct cluster_request){ 0 };
	if (!line_has(line, line_code(line, "--cluster")) ||
	    strcmp(line_value(line, line_code(line, "--cluster")), "slurm") != 0)
		return 0;
	request->engine = line_value(line, line_code(line, "--cluster"));
	request->jobs = line_value(line, line_code(line, "--jobs"));
	request->cpus = line_sets(line, line_code(line, "--cpus"))
				? line_value(line, line_code(line, "--cpus"))
				: NULL;
	request->usual_memory = line_value(line, line_code(line, "--memory"));
	request->memory =
		line_sets(line, line_code(line, "--memory")) ? request->usual_memory : NULL;
	if (check_environment(err) < 0 ||
	    line_number(line, line_code(line, "--cluster-tasks"), TASKS_MOST, &request->tasks,
			err) < 0 ||
	    count_cpus(line, request, err) < 0)
		return -1;
	while ((word = line_next(line, line_code(line, "--cluster-option"), &i))) {
		if (count == CLUSTER_OPTIONS_MOST)
			return error_set(err, ERR_INPUT,
					 "--cluster-option is given more than %d times",
					 CLUSTER_OPTIONS_MOST);
		if (names_clusters(word))
			return refuse_clusters(word, err);
		request->options[count++] = word;
	}
	*directory = absolute_path(line_value(line, line_code(line, "--cluster-directory")));
	if (!*directory)
		return error_no_memory(err);
	request->directory = *directory;
	return cluster_check_directory(*directory, err);
}

int cluster_task(int argc, char **argv)
{
	_cleanup_(progress_free) struct progress *progress = progress_new(PROGRESS_AUTO);
	_cleanup_error_ struct error *err = NULL;

	if (argc != 1)
		return report_usage(TASK_COMMAND, "give the directory of a shared run");
	return array_task_run(argv[0], progress, &err) < 0 ? report_error(TASK_COMMAND, err) : 0;
}
