#include "frontend/commands/runs_report.h"

#include <fcntl.h>
#include <string.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/fstests/junit.h"
#include "frontend/reports/html.h"
#include "frontend/reports/kcidb.h"
#include "frontend/reports/ktap.h"
#include "frontend/reports/markdown.h"
#include "lib/write_all.h"

/* What PRINT prints about R. The caller frees it. */
static char *report_print(const struct report *r, void (*print)(FILE *out, const struct report *r),
			  struct error **err)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out)
		print(out, r);
	if (!out || fclose(out) != 0) {
		free(text);
		error_no_memory(err);
		return NULL;
	}
	return text;
}

static int report_append(const char *path, const char *text, struct error **err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		return error_errno(err, ERR_SYSTEM,
				   "cannot write %s, which $GITHUB_STEP_SUMMARY names", path);
	return 0;
}

/* Source: "Workflow commands for GitHub Actions", adding a job summary. */
static const char *report_job_summary(void)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");

	return path && *path ? path : NULL;
}

static int report_markdown(const struct report_options *o, const struct report *r,
			   struct error **err)
{
	_cleanup_free_ char *text = report_print(r, markdown_print, err);

	if (!text)
		return -1;
	if (!o->output && report_job_summary())
		return report_append(report_job_summary(), text, err);
	return output_write(o->output, text, err);
}

static int report_ktap(const struct report_options *o, const struct report *r, struct error **err)
{
	_cleanup_free_ char *text = report_print(r, ktap_print, err);

	return text ? output_write(o->output, text, err) : -1;
}

static int report_kcidb(const struct report_options *o, const struct report *r, struct error **err)
{
	json_t *object = kcidb_of_report(r, o->origin, o->build, err);
	_cleanup_free_ char *text = object ? document_text(object) : NULL;

	json_decref(object);
	return text ? output_write(o->output, text, err) : error_no_memory(err);
}

static int report_html(const struct report_options *o, const struct report *r, struct error **err)
{
	_cleanup_free_ char *text = html_of_report(r);

	return text ? output_write(o->html, text, err) : error_no_memory(err);
}

static int report_junit(const struct report_options *o, const struct report *r, struct error **err)
{
	struct junit_suite suites[REPORT_RUNS_MOST];

	for (size_t i = 0; i < r->count; i++)
		suites[i] = (struct junit_suite){ r->runs[i].dir.id, &r->runs[i].results,
						  r->runs[i].record };
	return junit_write_suites(o->junit, suites, r->count, err);
}

/* At most one report goes to standard output. */
static int report_check(const struct report_options *o, struct error **err)
{
	int texts = o->markdown + o->ktap + o->kcidb;
	int printed = (o->markdown && !report_job_summary()) + o->ktap + o->kcidb + o->json;

	if (o->output && texts != 1)
		return error_set(err, ERR_INPUT,
				 "--output FILE needs one of --markdown, --ktap and --kcidb");
	if (!o->html && !o->junit && !o->markdown && !o->ktap && !o->kcidb)
		return error_set(err, ERR_INPUT,
				 "report needs --html FILE, --markdown, --ktap, --kcidb or --junit "
				 "FILE");
	if (!o->output && printed > 1)
		return error_set(
			err, ERR_INPUT,
			"--markdown, --ktap, --kcidb and --json all print to standard output: "
			"use one at a time, or --output FILE");
	return 0;
}

static void report_print_json(const struct report_options *o, const struct report *r)
{
	json_t *runs = json_array(), *files = json_array();

	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(runs, json_text(r->runs[i].dir.id));
	if (o->html)
		json_array_append_new(files, json_text(o->html));
	if (o->junit)
		json_array_append_new(files, json_text(o->junit));
	if (o->output)
		json_array_append_new(files, json_text(o->output));
	else if (o->markdown)
		json_array_append_new(files, json_text(report_job_summary()));
	document_print(json_pack("{s:o, s:o}", "runs", runs, "files", files));
}

static int report_write(const struct report_options *o, const struct report *r, struct error **err)
{
	if ((o->html && report_html(o, r, err) < 0) || (o->junit && report_junit(o, r, err) < 0) ||
	    (o->markdown && report_markdown(o, r, err) < 0) ||
	    (o->ktap && report_ktap(o, r, err) < 0) || (o->kcidb && report_kcidb(o, r, err) < 0))
		return -1;
	if (o->json)
		report_print_json(o, r);
	return EXIT_OK;
}

int runs_report(const struct report_options *options, char *const *runs, struct error **err)
{
	struct report r;
	int status = -1;

	if (report_check(options, err) < 0)
		return -1;
	if (report_read(runs, &r, err) == 0)
		status = report_write(options, &r, err);
	report_runs_clear(&r);
	return status;
}
