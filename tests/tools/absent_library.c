/* See absent.c; built twice, with two versions. */
int absent_answer(void);
int absent_answer(void)
{
	return 3;
}
