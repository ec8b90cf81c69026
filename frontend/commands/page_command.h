/* `rootlet __page OFFSET [RUN [PATH]]`: prints a page of what a run has, as JSON, for the resources
 * of `rootlet mcp`. Not for users. */
#pragma once

#define PAGE_COMMAND "__page"

/* Returns the exit status. */
int page_command(int argc, char **argv);
