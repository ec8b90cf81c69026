/* faulty SET FAULT: enters privilege set SET of policy/privilege_sets.c, then makes a mistake that
 * a sanitizer must report, whatever the set. Exits with status 0 if nothing stopped it. Only built
 * with sanitizers. Runs as root of a user namespace. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/jailer/landlock.h"

/* Opaque to the compiler. */
static volatile int zero, greatest = INT_MAX;
static char *volatile block;

static void overflow_heap(void)
{
	block[10 + zero] = 1;
}

static void use_freed(void)
{
	free(block);
	block[zero] = 1;
}

static void free_twice(void)
{
	free(block);
	free(block);
}

static void overflow_stack(void)
{
	volatile char array[10];
	volatile char *outside = array;

	outside[10 + zero] = 1;
}

static void overflow_number(void)
{
	greatest += 1 + zero;
}

static void crash(void)
{
	*(volatile char *)(intptr_t)zero = 1;
}

static const struct fault {
	const char *name;
	void (*make)(void);
} faults[] = {
	{ "heap-buffer-overflow", overflow_heap },
	{ "heap-use-after-free", use_freed },
	{ "double-free", free_twice },
	{ "stack-buffer-overflow", overflow_stack },
	{ "signed integer overflow", overflow_number },
	{ "SEGV", crash },
};

int main(int argc, char **argv)
{
	const struct fault *fault = NULL;
	int set = PRIVILEGES_COUNT;

	for (size_t i = 0; argc == 3 && i < sizeof(faults) / sizeof(*faults); i++)
		if (strcmp(faults[i].name, argv[2]) == 0)
			fault = &faults[i];
	while (argc == 3 && set-- > 0)
		if (strcmp(privilege_sets[set].name, argv[1]) == 0)
			break;
	block = malloc(10);
	if (!fault || set < 0 || !block ||
	    landlock_drop_privileges((enum privilege_set)set, -1, NULL) < 0)
		return 2;
	fault->make();
	_Exit(0);
}
