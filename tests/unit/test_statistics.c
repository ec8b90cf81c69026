/* frontend/fstests/statistics.c, against values that Python's fractions, or papers, give. */
#include "frontend/fstests/statistics.h"

#include <math.h>

#include "tap.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

/* Within a billionth of VALUE. */
static bool is_close(double have, double value)
{
	return fabs(have - value) <= 1e-9 * fabs(value);
}

/* z = 1.959963984540054; d = 1 + z*z/n; middle = (x/n + z*z/2/n) / d;
 * half = z/d * sqrt(x/n*(1-x/n)/n + z*z/4/n/n) */
static const struct {
	struct trials t;
	struct interval expected;
} wilson[] = {
	{ { 0, 0 }, { 0, 1 } },
	{ { 0, 10 }, { 0, 0.2775327998628892 } },
	{ { 10, 10 }, { 0.7224672001371107, 1 } },
	{ { 5, 10 }, { 0.236593090512564, 0.7634069094874361 } },
	{ { 1, 30 }, { 0.005908590381612455, 0.16670390991409173 } },
	/* A rate that kdevops documents. */
	{ { 1, 669 }, { 0.00026391206037633137, 0.00841786392728738 } },
	/* Newcombe, Statistics in Medicine 17 (1998) 857, table I: 0.0624 to 0.1605. */
	{ { 15, 148 }, { 0.0623863995307363, 0.16048724172330803 } },
};

/* P: sum(comb(n, k) * comb(m, f - k) for k in range(x, min(f, n) + 1)) / comb(m + n, f), with x of
 * n failed after, and f failed in all m + n. LEAST: the same for the largest x. */
static const struct {
	struct trials before, after;
	double p, least;
} fisher[] = {
	/* Fisher's tea: The Design of Experiments, 1935. */
	{ { 1, 4 }, { 3, 4 }, 17.0 / 70, 1.0 / 70 },
	{ { 0, 30 }, { 1, 1 }, 1.0 / 31, 1.0 / 31 },
	{ { 0, 30 }, { 3, 3 }, 1.0 / 5456, 1.0 / 5456 },
	{ { 4, 30 }, { 1, 1 }, 5.0 / 31, 5.0 / 31 },
	{ { 3, 10 }, { 0, 10 }, 1, 2.0 / 19 },
	{ { 10, 10 }, { 5, 10 }, 1, 21.0 / 1292 },
	{ { 7, 7 }, { 7, 7 }, 1, 1 },
	{ { 0, 7 }, { 0, 7 }, 1, 1 },
	{ { 0, 0 }, { 1, 1 }, 1, 1 },
	{ { 1, 1 }, { 0, 0 }, 1, 1 },
	{ { 2, 1000 }, { 5, 30 }, 3.0021464459068925e-07, 8.514875571006473e-12 },
	{ { 50, 10000 }, { 20, 300 }, 4.472445684522431e-15, 6.301903755420244e-112 },
};

/* Benjamini and Hochberg 1995, section 4.1: the first four are significant at 5 %. */
static const double published[] = { .0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344,
				    .0459, .3240, .4262, .5719, .6528, .7590, 1.0 };
static const double adjusted[COUNT(published)] = {
	0.0015,
	0.003,
	0.0095,
	0.035625,
	0.0603,
	0.06385714285714286,
	0.06385714285714286,
	0.0645,
	0.0765,
	0.486,
	0.5811818181818182,
	0.714875,
	0.7532307692307694,
	0.8132142857142857,
	1,
};

static void discoveries(void)
{
	double least[COUNT(published)] = { 0 }, q[COUNT(published)], backwards[COUNT(published)];
	double mixed[COUNT(published)], some_least[COUNT(published)];
	size_t count = COUNT(published), good = 0, same = 0;

	false_discovery(published, least, count, 0.05, q);
	for (size_t i = 0; i < count; i++)
		good += is_close(q[i], adjusted[i]);
	tap_check(good == count, "the published example has the right rates");
	tap_check(q[3] <= 0.05 && q[4] > 0.05, "four of its comparisons are significant");
	for (size_t i = 0; i < count; i++)
		backwards[i] = published[count - 1 - i];
	false_discovery(backwards, least, count, 0.05, q);
	for (size_t i = 0; i < count; i++)
		same += is_close(q[i], adjusted[count - 1 - i]);
	tap_check(same == count, "the order of the comparisons does not matter");
	/* Every other one could not be significant. */
	for (size_t i = 0; i < count; i++) {
		mixed[i] = i % 2 ? 1 : published[i / 2];
		some_least[i] = i % 2 ? 1 : 0;
	}
	false_discovery(mixed, some_least, count, 0.05, q);
	tap_check(is_close(q[0], .0001 * 8) && q[1] >= 1 && is_close(q[6], .0095 * 2),
		  "comparisons that could not be significant do not weigh on the others");
	tap_check(false_discovery(NULL, NULL, 0, 0.05, NULL) == 0, "no comparison at all");
}

int main(void)
{
	for (size_t i = 0; i < COUNT(wilson); i++) {
		struct interval have = wilson_interval(wilson[i].t);

		tap_check(is_close(have.low, wilson[i].expected.low) &&
				  is_close(have.high, wilson[i].expected.high),
			  "interval of %zu failures in %zu runs", wilson[i].t.failed,
			  wilson[i].t.total);
	}
	for (size_t i = 0; i < COUNT(fisher); i++)
		tap_check(is_close(fisher_exact(fisher[i].before, fisher[i].after), fisher[i].p) &&
				  is_close(fisher_least(fisher[i].before, fisher[i].after),
					   fisher[i].least),
			  "%zu of %zu before and %zu of %zu after", fisher[i].before.failed,
			  fisher[i].before.total, fisher[i].after.failed, fisher[i].after.total);
	discoveries();
	return tap_done();
}
