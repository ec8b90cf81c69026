/* A program whose library a test takes away, or replaces by one without this version of the symbol.
 */
#include <stdio.h>

int absent_answer(void);

int main(void)
{
	printf("loaded %d\n", absent_answer());
	return 0;
}
