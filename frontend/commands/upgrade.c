/* rootlet upgrade: brings the packages of a rootfs up to date, or goes back. */
#include "frontend/cli/events.h"
#include "frontend/commands/change_line.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/previous.h"

enum { OPTION_CHECK = OPTION_OWN, OPTION_SECURITY, OPTION_ROLLBACK, OPTION_ALL, OPTION_UNFOLLOW };

static const struct option_row upgrade_rows[] = {
	CHANGE_ROWS,
	{ "--all", NULL, OPTION_ALL,
	  "upgrade every rootfs in the store, one after the other; continue if one fails",
	  .once = true },
	{ "--check", NULL, OPTION_CHECK,
	  "change nothing; print what would change (exit status 1 if anything would)",
	  .once = true },
	{ "--security", NULL, OPTION_SECURITY, "only security updates" },
	{ "--unfollow", NULL, OPTION_UNFOLLOW,
	  "follow the archive from now on, and not the publisher of create --from", .once = true },
	{ "--rollback", NULL, OPTION_ROLLBACK,
	  "exchange the rootfs and NAME.previous, which the last upgrade left", .once = true },
	QUIET_ROW,
	JSON_ROW(JSON_EVENTS),
	{ NULL },
};

static int go_back(const struct parsed_line *line)
{
	const bool json = line_has(line, OPTION_JSON);
	_cleanup_(helper_stop) struct helper *h = NULL;
	_cleanup_free_ char *absolute = NULL;
	_cleanup_error_ struct error *err = NULL;
	int status = EXIT_OK;

	if (helper_start("upgrade", NULL, &h, &err) < 0 ||
	    previous_exchange(h, line_value(line, OPTION_NAME), line_value(line, OPTION_PATH),
			      &absolute, &err) < 0)
		status = report_error(line->name, err);
	if (json)
		return err ? event_failure(json_pack("{s:o}", "path", json_text(absolute)), err,
					   status)
			   : event_result(json_pack("{s:o, s:b}", "path", json_text(absolute),
						    "changed", true),
					  status);
	if (!err && !line_has(line, OPTION_QUIET))
		printf("Exchanged %s and %s" PREVIOUS_SUFFIX ".\n", absolute, absolute);
	return status;
}

/* Options that do not go with FIRST. */
static int check_alone(const struct parsed_line *line, int first, const int *others, size_t count)
{
	for (size_t i = 0; line_has(line, first) && i < count; i++)
		if (line_has(line, others[i]) && !line_is_default(line, others[i]))
			return report_usage(line->name, "%s does not go with %s",
					    option_row_coded(line->command, others[i])->name,
					    option_row_coded(line->command, first)->name);
	return 0;
}

static int check_upgrade(const struct parsed_line *line)
{
	static const int back[] = { OPTION_CHECK,	OPTION_SECURITY,  OPTION_MIRROR,
				    OPTION_KEYRING,	OPTION_UNFOLLOW,  OPTION_REPOSITORY,
				    OPTION_ALLOW_OLDER, OPTION_COMPONENTS };
	static const int all[] = { OPTION_NAME, OPTION_PATH, OPTION_ROLLBACK };
	int status = check_alone(line, OPTION_ALL, all, sizeof(all) / sizeof(*all));

	return status ? status
		      : check_alone(line, OPTION_ROLLBACK, back, sizeof(back) / sizeof(*back));
}

static int command_upgrade(const struct parsed_line *line)
{
	struct change_request request = {
		.base = BASE_UPGRADED,
		.profile = !line_has(line, OPTION_SECURITY),
		.security = line_has(line, OPTION_SECURITY),
		.keep_old = true,
		.unfollow = line_has(line, OPTION_UNFOLLOW),
	};
	int status = check_upgrade(line);

	if (status)
		return status;
	if (line_has(line, OPTION_ROLLBACK))
		return go_back(line);
	return (line_has(line, OPTION_ALL) ? change_run_all : change_run)(
		line, &request, line_has(line, OPTION_CHECK), EXIT_FAILED);
}

const struct command upgrade_command = {
	.name = "upgrade",
	.summary = "upgrade the packages of a rootfs",
	.about = "Upgrades the packages of a rootfs, and installs those that its profile wants and "
		 "that it lacks, in a copy, which then takes its place. The rootfs as it was stays "
		 "as NAME.previous, in place of an older one of that name. Packages on hold and "
		 "changed configuration files stay as they are. A rootfs that create --from made "
		 "is replaced with the newest generation of its publisher.",
	.statuses = "0 upgraded, or up to date; " CHANGE_STATUSES " --check: 1 there are updates. "
		    "--all: the highest of all.",
	.rows = upgrade_rows,
	.run = command_upgrade,
	.acts = true,
};
