#include "frontend/commands/fstests_cluster.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "frontend/cli/report.h"
#include "frontend/cli/word_list.h"
#include "frontend/cluster/kubernetes.h"
#include "frontend/vm/vm_options.h"

#define CLUSTER "--cluster"
#define KUBERNETES "kubernetes"
#define OPTIONS_MOST 32
#define TASKS_MOST 65536
#define GUESTS_MOST 1024
#define CPUS_MOST 255
#define CPUS_USUAL "2" /* as with --jobs auto: races need two */

static bool is_given(const struct parsed_line *line, const char *name)
{
	return line_has(line, line_code(line, name));
}

static const char *named_value(const struct parsed_line *line, const char *name)
{
	return line_value(line, line_code(line, name));
}

/* --- what goes together --------------------------------------------------------------------- */

static const struct {
	const char *name, *why;
} apart[] = {
	{ "--shard", "each pod gets a part of its own" },
	{ "--device", "the pods would all write to it" },
	{ "--baseline", "compare the merged run: rootlet runs compare" },
	{ "--json", "it prints a manifest" },
	{ "--install-missing", "install what is missing first, see rootlet deps" },
};

static int check_directory(const char *path, struct error **err)
{
	if (*path == '/' && path[strspn(path, "/")] && !strchr(path, ':'))
		return 0;
	return error_set(err, ERR_INPUT,
			 "--cluster-directory %s: must be an absolute path without a colon, where "
			 "the pods see the shared volume",
			 path);
}

int fstests_cluster_check(const struct parsed_line *line, struct error **err)
{
	static const char *const own[] = { "--cluster-tasks", "--cluster-directory",
					   "--cluster-option" };

	if (!is_given(line, CLUSTER)) {
		for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
			if (is_given(line, own[i]))
				return error_set(err, ERR_INPUT, "%s goes with " CLUSTER, own[i]);
		return 0;
	}
	for (size_t i = 0; i < 2; i++)
		if (!line_sets(line, line_code(line, own[i])))
			return error_set(err, ERR_INPUT, CLUSTER " needs %s: give %s", own[i],
					 option_row_named(line->command, own[i])->text);
	if (strcmp(named_value(line, CLUSTER), KUBERNETES) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++)
		if (is_given(line, apart[i].name))
			return error_set(err, ERR_INPUT,
					 "%s does not go with " CLUSTER " " KUBERNETES ": %s",
					 apart[i].name, apart[i].why);
	return check_directory(named_value(line, "--cluster-directory"), err);
}

/* --- the pods' command line ----------------------------------------------------------------- */

struct cluster_words {
	char **list; /* NULL-terminated */
	size_t count;
};

static void cluster_words_clear(struct cluster_words *w)
{
	words_free(w->list);
}

/* NAME and VALUE as one word, which can begin like no other option, whatever VALUE is. */
static int cluster_add(struct cluster_words *w, const char *name, const char *value,
		       struct error **err)
{
	char **list = reallocarray(w->list, w->count + 2, sizeof(*list));

	if (!list)
		return error_no_memory(err);
	w->list = list;
	list[w->count] = list[w->count + 1] = NULL;
	if (asprintf(&list[w->count], "%s%s%s", name, value ? "=" : "", value ? value : "") < 0) {
		list[w->count] = NULL;
		return error_no_memory(err);
	}
	w->count++;
	return 0;
}

/* Options that are about this command or about the merged run. */
static bool is_kept_here(const char *name)
{
	static const char *const here[] = { "--results",    "--junit", "--baseline",
					    "--quarantine", "--color", "--auto-upgrade",
					    "--max-age" };

	for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++)
		if (strcmp(name, here[i]) == 0)
			return true;
	return strncmp(name, CLUSTER, strlen(CLUSTER)) == 0;
}

/* The line as it was given, with what would otherwise depend on the node: a pod sees all of the
 * node's processors and memory, not its own share. */
static int list_pod_words(const struct parsed_line *line, struct cluster_words *w,
			  struct error **err)
{
	const char *value;
	const struct option_row *row;

	for (size_t i = 0; (row = line_given(line, i, &value)); i++)
		if (!is_kept_here(row->name) && cluster_add(w, row->name, value, err) < 0)
			return -1;
	if (!line_sets(line, line_code(line, "--cpus")) &&
	    cluster_add(w, "--cpus", CPUS_USUAL, err) < 0)
		return -1;
	if (line_sets(line, line_code(line, "--memory")))
		return 0;
	return cluster_add(w, "--memory", named_value(line, "--memory"), err);
}

/* --- the run -------------------------------------------------------------------------------- */

static int read_guests(const struct parsed_line *line, struct kubernetes_run *run,
		       struct error **err)
{
	const char *jobs = named_value(line, "--jobs"), *cpus = named_value(line, "--cpus"),
		   *memory = named_value(line, "--memory");

	if (strcmp(jobs, "auto") == 0)
		return error_set(err, ERR_INPUT,
				 "--jobs auto does not go with " CLUSTER " " KUBERNETES
				 ": a pod does not know its share of the node; give a number");
	if (parse_number("--jobs", jobs, GUESTS_MOST, &run->guests, err) < 0 ||
	    parse_number("--cpus", cpus ? cpus : CPUS_USUAL, CPUS_MOST, &run->cpus, err) < 0 ||
	    check_memory_size(memory, err) < 0)
		return -1;
	run->memory = parse_size(memory, true) >> 20;
	return 0;
}

static int read_cluster_options(const struct parsed_line *line, struct kubernetes_options *options,
				struct error **err)
{
	const char *words[OPTIONS_MOST], *word;
	size_t i = 0, count = 0;

	while ((word = line_next(line, line_code(line, "--cluster-option"), &i))) {
		if (count == OPTIONS_MOST)
			return error_set(err, ERR_INPUT,
					 "--cluster-option is given more than %d times",
					 OPTIONS_MOST);
		words[count++] = word;
	}
	return kubernetes_read_options(words, count, options, err);
}

static int cluster_print(const struct parsed_line *line, const struct fstests_options *o,
			 struct error **err)
{
	_cleanup_(cluster_words_clear) struct cluster_words words = { 0 };
	char *const merge_words[] = { (char *)(uintptr_t) "--junit", (char *)(uintptr_t)o->junit,
				      NULL };
	struct kubernetes_run run = {
		.directory = named_value(line, "--cluster-directory"),
		.tests = line->operands,
		.merge_words = o->junit ? merge_words : NULL,
		.results = o->results,
		.host_root = o->host_root,
		.memory_disks = o->device_memory,
	};

	if (parse_number("--cluster-tasks", named_value(line, "--cluster-tasks"), TASKS_MOST,
			 &run.tasks, err) < 0 ||
	    read_guests(line, &run, err) < 0 || read_cluster_options(line, &run.options, err) < 0 ||
	    list_pod_words(line, &words, err) < 0)
		return -1;
	run.words = words.list;
	/* main() reports all other failures to write, but not this one of a command that acts. */
	if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return error_set(err, ERR_SYSTEM, "cannot write to standard output: it is closed");
	return kubernetes_print(stdout, &run, err);
}

int fstests_cluster_print(const struct parsed_line *line, const struct fstests_options *options)
{
	_cleanup_error_ struct error *err = NULL;

	if (cluster_print(line, options, &err) == 0)
		return EXIT_OK;
	if (err && err->code == ERR_INPUT)
		return report_usage(line->name, "%s", error_text(err));
	report_error(line->name, err);
	return FSTESTS_NOT_RUN;
}
