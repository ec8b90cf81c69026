#include "frontend/commands/commands.h"
#include "frontend/mcp/mcp_server.h"

const char mcp_help[] =
	"usage: rootlet mcp\n\n"
	"Serves rootlet's commands as tools, by the Model Context Protocol on standard input and\n"
	"output, for editors and other programs that start it. Ends when its input does, and the\n"
	"calls that are under way with it. See man rootlet-mcp for how to set up clients.\n\n"
	"  --color WHEN  auto (default), always or never\n"
	"  --help\n\n"
	"Exit status: 0 its input has ended; 1 failed; 2 wrong command line; 130 interrupted.\n";

const struct option mcp_options[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };

int command_mcp(int argc, char **argv)
{
	if (argc > 1)
		return report_usage(argv[0], "\"%.80s\" is one word too many", argv[1]);
	return mcp_serve(argv[0]);
}
