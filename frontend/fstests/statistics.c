#include "frontend/fstests/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"

#define Z_95 1.959963984540054 /* quantile 0.975 of the normal distribution */

struct interval wilson_interval(struct trials t)
{
	double n = (double)t.total, rate, middle, half, z2 = Z_95 * Z_95;

	if (!t.total)
		return (struct interval){ 0, 1 };
	rate = (double)t.failed / n;
	middle = (rate + z2 / (2 * n)) / (1 + z2 / n);
	half = Z_95 / (1 + z2 / n) * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n));
	/* Rounding must not move the ends past what was seen. */
	return (struct interval){ t.failed ? fmax(0, middle - half) : 0,
				  t.failed < t.total ? fmin(1, middle + half) : 1 };
}

/* The logarithm of "N choose K". */
static double log_choose(size_t n, size_t k)
{
	int sign;

	return lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
	       lgamma_r((double)(n - k) + 1, &sign);
}

/* The probability that AFTER has at least LEAST of the failures of both. */
static double hypergeometric_tail(struct trials before, struct trials after, size_t least)
{
	size_t failed = before.failed + after.failed, total = before.total + after.total;
	size_t most = failed < after.total ? failed : after.total;
	size_t fewest = failed > before.total ? failed - before.total : 0;
	double all = log_choose(total, failed), sum = 0;

	if (least <= fewest)
		return 1;
	/* From the smallest term on, which loses the least. */
	for (size_t k = most + 1; k-- > least;)
		sum += exp(log_choose(after.total, k) + log_choose(before.total, failed - k) - all);
	return fmin(1, sum);
}

double fisher_exact(struct trials before, struct trials after)
{
	return hypergeometric_tail(before, after, after.failed);
}

double fisher_least(struct trials before, struct trials after)
{
	size_t failed = before.failed + after.failed;

	return hypergeometric_tail(before, after, failed < after.total ? failed : after.total);
}

/* --- many comparisons ----------------------------------------------------------------------- */

struct ranked {
	double p;
	size_t at;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

int false_discovery(const double *p, const double *least, size_t count, double alpha, double *q)
{
	_cleanup_free_ struct ranked *list = calloc(count + 1, sizeof(*list));
	double smallest = 1;
	size_t used = 0;

	if (!list)
		return -1;
	for (size_t i = 0; i < count; i++) {
		q[i] = 1;
		if (least[i] <= alpha)
			list[used++] = (struct ranked){ p[i], i };
	}
	if (used)
		qsort(list, used, sizeof(*list), compare_ranked);
	for (size_t rank = used; rank > 0; rank--) {
		smallest = fmin(smallest, list[rank - 1].p * (double)used / (double)rank);
		q[list[rank - 1].at] = smallest;
	}
	return 0;
}
