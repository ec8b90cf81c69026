/* Tests of fstests that take long, by name: what their groups do not tell. */
#pragma once

/* How many seconds the test usually takes; 0 if it is not known to be a long one. */
double long_test_seconds(const char *name);
