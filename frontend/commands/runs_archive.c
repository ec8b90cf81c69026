#include "frontend/commands/runs_archive.h"

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/reports/run_archive.h"

static void archive_print(bool json, const struct report_run *run, const struct run_archive *a,
			  const char *path)
{
	char size[TEXT_SIZE_LEN];

	if (json) {
		document_print(json_pack("{s:o, s:o, s:I, s:I, s:O}", "run", json_text(run->dir.id),
					 "path", json_text(path), "files", (json_int_t)a->files,
					 "bytes", (json_int_t)a->size, "left_out", a->left_out));
		return;
	}
	printf("%s: %zu files, %s\n", path, a->files, text_size(a->size, size));
	if (json_array_size(a->left_out))
		printf("%zu files are left out or shortened; README in the archive names them\n",
		       json_array_size(a->left_out));
}

static int archive_write_file(bool json, const struct report_run *run, const char *output,
			      struct error **err)
{
	_cleanup_(run_archive_clear) struct run_archive a;
	_cleanup_free_ char *path = NULL;

	if (run_archive_make(run, &a, err) < 0)
		return -1;
	if (asprintf(&path, output ? "%s" : "%s.tar.gz", output ? output : run->dir.id) < 0)
		return error_no_memory(err);
	if (output_write_bytes(path, a.data, a.size, err) < 0)
		return -1;
	archive_print(json, run, &a, path);
	return EXIT_OK;
}

int runs_archive(bool json, const char *name, const char *output, struct error **err)
{
	char *names[] = { (char *)(uintptr_t)name, NULL };
	_cleanup_(report_runs_clear) struct report r;

	if (report_read(names, &r, err) < 0)
		return -1;
	return archive_write_file(json, &r.runs[0], output, err);
}
