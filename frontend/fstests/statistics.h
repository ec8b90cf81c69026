/* How sure a difference between two failure rates is. The functions know nothing of tests and runs.
 *
 * Sources: Wilson, J. Am. Stat. Assoc. 22 (1927) 209; Fisher, J. R. Stat. Soc. 98 (1935) 39;
 * Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289; Tarone, Biometrics 46 (1990) 515, and
 * Gilbert, J. R. Stat. Soc. C 54 (2005) 143, for comparisons that cannot be significant. */
#pragma once

#include <stddef.h>

/* How often something was tried, and how often it failed: at most as often. */
struct trials {
	size_t failed, total;
};

struct interval {
	double low, high;
};

/* The Wilson score interval, at 95 %, of the rate of failures. 0 to 1 if nothing was tried. */
struct interval wilson_interval(struct trials t);

/* Fisher's exact test, one-sided: how likely AFTER is to have as many of all failures as it has, or
 * more, if both have the same rate. 1 if one of them was not tried. */
double fisher_exact(struct trials before, struct trials after);

/* The smallest value of fisher_exact() with as many trials and as many failures in all. */
double fisher_least(struct trials before, struct trials after);

/* Benjamini and Hochberg: sets Q of each comparison to the smallest false-discovery rate at which
 * it counts as significant, by its P. LEAST is the smallest P that it could have had: a comparison
 * that could not be significant at ALPHA, whatever failed where, has a Q of 1 and does not weigh on
 * the others. Returns 0, or -1 if out of memory. */
int false_discovery(const double *p, const double *least, size_t count, double alpha, double *q);
