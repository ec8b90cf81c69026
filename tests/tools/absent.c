/* A program whose library a test removes, or replaces with one without this symbol version. */
#include <stdio.h>

int absent_answer(void);

int main(void)
{
	printf("loaded %d\n", absent_answer());
	return 0;
}
