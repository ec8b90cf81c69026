#include "frontend/commands/manifest_line.h"

#include "frontend/commands/option_table.h"

int line_open(const struct parsed_line *line, struct opened_rootfs *r, struct error **err)
{
	return opened_rootfs_open(line->command->name, line_value(line, OPTION_NAME),
				  line_value(line, OPTION_PATH), r, err);
}
