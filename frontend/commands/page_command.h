/* What only `rootlet mcp` calls, and prints JSON: `rootlet __page OFFSET [RUN [PATH]]` prints a
 * page of what a run has, `rootlet __groups TREE` the groups of tests in a built fstests tree. */
#pragma once

#define PAGE_COMMAND "__page"
#define GROUPS_COMMAND "__groups"

/* Each returns the exit status. */
int page_command(int argc, char **argv);
int groups_command(int argc, char **argv);
