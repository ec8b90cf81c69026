#include "frontend/commands/runs_save.h"

#include <stdio.h>

#include "frontend/cli/events.h"
#include "frontend/fstests/baselines.h"

int runs_save(bool json, char **words, const char *name, struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir run = RUN_DIR_NONE;

	if (run_dir_open(words[0], &run, err) < 0 || baseline_save(&run, name, err) < 0)
		return -1;
	if (json)
		document_print(json_pack("{s:o, s:o}", "baseline", json_text(name), "run",
					 json_text(run.id)));
	else
		printf("kept run %s as %s; compare with: rootlet runs compare %s last\n", run.id,
		       name, name);
	return EXIT_OK;
}

static const char *baseline_text(const json_t *one, const char *key)
{
	const char *text = json_string_value(json_object_get(one, key));

	return text ? text : "-";
}

int runs_baselines(bool json, struct error **err)
{
	json_t *list = baselines_list(err), *one;
	size_t i;

	if (!list)
		return -1;
	if (json) {
		document_print(json_pack("{s:o}", "baselines", list));
		return EXIT_OK;
	}
	json_clean(list);
	if (!json_array_size(list))
		puts("no baselines yet; see: rootlet runs save");
	json_array_foreach(list, i, one) printf(
		"%-24s %-28s %-8s %s\n", baseline_text(one, "name"), baseline_text(one, "run"),
		baseline_text(one, "fstype"), baseline_text(one, "kernel_version"));
	json_decref(list);
	return EXIT_OK;
}
