#include "frontend/commands/commands.h"
#include "frontend/mcp/mcp_server.h"

const char mcp_help[] =
	"usage: rootlet mcp\n"
	"\n"
	"Serves rootlet's commands as tools over the Model Context Protocol, on standard input\n"
	"and output, for editors and other programs that start it. Exits at the end of its input,\n"
	"and cancels the calls in progress. See man rootlet-mcp for how to set up clients.\n"
	"\n"
	"  --color WHEN  auto (default), always or never\n"
	"  --help\n"
	"\n"
	"Exit status: 0 end of input; 1 failed; 2 wrong command line; 130 interrupted.\n";

const struct option mcp_options[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };

int command_mcp(int argc, char **argv)
{
	if (argc > 1)
		return report_usage(argv[0], "unexpected argument: \"%.80s\"", argv[1]);
	return mcp_serve(argv[0]);
}
