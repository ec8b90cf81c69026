#include "frontend/commands/page_command.h"

#include <errno.h>
#include <stdlib.h>

#include "frontend/cli/events.h"
#include "frontend/fstests/group_names.h"
#include "frontend/fstests/run_page.h"

int page_command(int argc, char **argv)
{
	_cleanup_error_ struct error *err = NULL;
	unsigned long long offset;
	char *end = NULL;
	json_t *page;

	if (argc < 1 || argc > 3)
		return report_usage(NULL, PAGE_COMMAND " is for rootlet mcp");
	errno = 0;
	offset = strtoull(argv[0], &end, 10);
	if (errno || *end || argv[0][0] < '0' || argv[0][0] > '9' || offset > INT64_MAX)
		return report_usage(NULL, "\"%s\" is not an offset", argv[0]);
	page = run_page(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "", offset, &err);
	if (!page)
		return document_failure(err, exit_status_of(err ? err->code : ERR_SYSTEM));
	document_print(page);
	return EXIT_OK;
}

int groups_command(int argc, char **argv)
{
	_cleanup_error_ struct error *err = NULL;
	json_t *list = NULL;

	if (argc > 1)
		return report_usage(NULL, GROUPS_COMMAND " is for rootlet mcp");
	if (argc)
		list = group_names_list(argv[0], &err);
	else
		error_set(&err, ERR_INPUT, "give fstests_path: the path of an fstests tree");
	if (!list)
		return document_failure(err, exit_status_of(err ? err->code : ERR_SYSTEM));
	document_print(json_pack("{s:o}", "groups", list));
	return EXIT_OK;
}
