#include "frontend/commands/commands.h"
#include "frontend/mcp/mcp_server.h"

static int command_mcp(const struct parsed_line *line)
{
	return mcp_serve(line->name);
}

const struct command mcp_command = {
	.name = "mcp",
	.summary = "serve these commands as tools over the Model Context Protocol",
	.about = "Serves rootlet's commands as tools over the Model Context Protocol, on standard "
		 "input and output, for editors and other programs that start it. Exits at the end "
		 "of its input, and cancels the calls in progress. See man rootlet-mcp for how to "
		 "set up clients.",
	.statuses = "0 end of input; 1 failed; 2 wrong command line; 130 interrupted.",
	.run = command_mcp,
};
