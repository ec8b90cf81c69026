/* Reads shell scripts as text: lines, words and assignments, as far as the way in which fstests
 * writes them goes. Runs and expands nothing. The scripts are untrusted: every length is bounded,
 * and each function reads its input once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SHELL_LINE_SIZE 8192
#define SHELL_WORD_SIZE 256

/* The rest of a script, and the line that was read last: joined if it ends with a backslash,
 * without a comment and without blanks at both ends, cut off if it is too long. */
struct shell_lines {
	const char *rest;
	bool at_margin; /* the line begins in column 0 */
	char line[SHELL_LINE_SIZE];
};

/* Reads the next line that is not empty; false at the end. */
bool shell_next_line(struct shell_lines *lines);

/* Reads the next word at *AT, without its quotes, and moves *AT behind it. A substitution "$(…)"
 * belongs to the word. False at the end of the command, or if the word is empty or too long. */
bool shell_next_word(const char **at, char word[static SHELL_WORD_SIZE]);

/* The number of characters of a function's or variable's name at TEXT; 0: none. */
size_t shell_name_length(const char *text);

/* If LINE begins a function, the length of its name; else 0. *NAME is where it is in LINE. */
size_t shell_function_name(const char *line, const char **name);

/* Finds the first assignment to VARIABLE in TEXT and reads its value as shell_next_word() does. */
bool shell_find_assignment(const char *text, const char *variable,
			   char value[static SHELL_WORD_SIZE]);
