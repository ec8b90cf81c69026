#include "frontend/fstests/shard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/fstests/check_output.h"
#include "lib/hash.h"

#define PARTS_MOST 65536
#define PLAN_HEADER "# rootlet plan 1\n"

/* --- the option ----------------------------------------------------------------------------- */

/* Reads a number up to the character STOP. NULL if it is none or too large. */
static const char *shard_number(const char *text, char stop, unsigned int *number)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9 || text[digits] != stop)
		return NULL;
	*number = (unsigned int)strtoul(text, NULL, 10);
	return text + digits;
}

/* Reads the number in the variable NAME. False if it is not set. */
static bool shard_variable(const char *name, unsigned int *number, struct error **err)
{
	const char *text = getenv(name);

	if (!text || !*text)
		return false;
	if (!shard_number(text, '\0', number))
		error_set(err, ERR_INPUT, "--shard auto: %s is not a number", name);
	return true;
}

static int shard_need(const char *name, unsigned int *number, struct error **err)
{
	if (!shard_variable(name, number, err))
		return error_set(err, ERR_INPUT, "--shard auto: %s is not set", name);
	return *err ? -1 : 0;
}

/* GitLab counts from 1. */
static int shard_of_gitlab(unsigned int number, struct shard *shard, struct error **err)
{
	shard->part = number;
	return shard_need("CI_NODE_TOTAL", &shard->parts, err);
}

/* Kubernetes counts from 0, and does not tell the pods how many there are. */
static int shard_of_kubernetes(unsigned int number, struct shard *shard, struct error **err)
{
	shard->part = number + 1;
	if (shard->parts)
		return 0;
	return error_set(err, ERR_INPUT,
			 "--shard auto: Kubernetes does not say how many parts there are; give it: "
			 "--shard auto/N");
}

/* Slurm counts from any number. With gaps between the numbers, some parts would never run. */
static int shard_of_slurm(unsigned int number, struct shard *shard, struct error **err)
{
	unsigned int least, step = 1;

	if (shard_need("SLURM_ARRAY_TASK_MIN", &least, err) < 0 ||
	    shard_need("SLURM_ARRAY_TASK_COUNT", &shard->parts, err) < 0)
		return -1;
	if (shard_variable("SLURM_ARRAY_TASK_STEP", &step, err) && *err)
		return -1;
	if (step != 1 || number < least || number - least >= shard->parts)
		return error_set(err, ERR_INPUT,
				 "--shard auto: the array's task ids must be consecutive, as with "
				 "sbatch --array=1-%u",
				 shard->parts);
	shard->part = number - least + 1;
	return 0;
}

static int shard_of_environment(unsigned int given, struct shard *shard, struct error **err)
{
	static const struct {
		const char *variable;
		int (*read)(unsigned int number, struct shard *shard, struct error **err);
	} rows[] = {
		{ "CI_NODE_INDEX", shard_of_gitlab },
		{ "JOB_COMPLETION_INDEX", shard_of_kubernetes },
		{ "SLURM_ARRAY_TASK_ID", shard_of_slurm },
	};
	const char *found = NULL;

	shard->parts = given;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned int number = 0;

		if (!shard_variable(rows[i].variable, &number, err))
			continue;
		if (*err)
			return -1;
		if (found)
			return error_set(err, ERR_INPUT,
					 "--shard auto: both %s and %s are set; give the part: "
					 "--shard I/N",
					 found, rows[i].variable);
		found = rows[i].variable;
		if (rows[i].read(number, shard, err) < 0)
			return -1;
	}
	if (!found)
		return error_set(err, ERR_INPUT,
				 "--shard auto: CI_NODE_INDEX, JOB_COMPLETION_INDEX and "
				 "SLURM_ARRAY_TASK_ID are not set; give the part: --shard I/N");
	if (given && shard->parts != given)
		return error_set(err, ERR_INPUT, "--shard auto/%u: %s says that there are %u parts",
				 given, found, shard->parts);
	return 0;
}

int shard_parse(const char *text, struct shard *shard, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	const char *end = NULL;
	unsigned int given = 0;

	*shard = (struct shard){ 0 };
	if (text_has_prefix(text, "auto")) {
		if (strcmp(text, "auto") == 0)
			end = "";
		else if (text[4] == '/')
			end = shard_number(text + 5, '\0', &given);
		if (end && (text[4] == '\0' || given) &&
		    shard_of_environment(given, shard, &why) < 0) {
			*err = STEAL_PTR(why);
			return -1;
		}
	} else if ((end = shard_number(text, '/', &shard->part))) {
		end = shard_number(end + 1, '\0', &shard->parts);
	}
	if (!end || shard->part < 1 || shard->part > shard->parts || shard->parts > PARTS_MOST)
		return error_set(err, ERR_INPUT,
				 "--shard %s: must be I/N with I from 1 to N, and N at most %d; or "
				 "auto, or auto/N",
				 text, PARTS_MOST);
	return 0;
}

/* --- the split ------------------------------------------------------------------------------ */

struct shard_test {
	const struct planned *test;
	uint64_t hundredths; /* of a second: whole numbers add up to the same on all machines */
	bool alone;
	unsigned int part; /* from 0 */
};

static int compare_planned(const struct planned *a, const struct planned *b)
{
	int section = strcmp(a->section, b->section);

	return section ? section : strcmp(a->name, b->name);
}

static int compare_shard_tests(const void *a, const void *b)
{
	return compare_planned(((const struct shard_test *)a)->test,
			       ((const struct shard_test *)b)->test);
}

/* Tests that run alone first, as they are spread on their own; then the longest first. */
static int compare_shard_order(const void *a, const void *b)
{
	const struct shard_test *x = *(struct shard_test *const *)a;
	const struct shard_test *y = *(struct shard_test *const *)b;

	if (x->alone != y->alone)
		return x->alone ? -1 : 1;
	if (x->hundredths != y->hundredths)
		return x->hundredths > y->hundredths ? -1 : 1;
	return compare_planned(x->test, y->test);
}

/* Sorts the tests by section and name, whatever order check has today, without repetitions. The
 * caller frees the result; NULL if out of memory. */
static struct shard_test *shard_list(const struct test_plan *plan, const struct test_groups *groups,
				     const struct durations *durations, size_t *count)
{
	struct shard_test *list = calloc(plan->count + 1, sizeof(*list));

	*count = 0;
	if (!list)
		return NULL;
	for (size_t i = 0; i < plan->count; i++)
		list[i].test = &plan->list[i];
	if (plan->count)
		qsort(list, plan->count, sizeof(*list), compare_shard_tests);
	for (size_t i = 0; i < plan->count; i++) {
		const struct planned *test = list[i].test;
		double seconds = durations_expect(durations, groups, test->section, test->name);

		if (*count && compare_planned(list[*count - 1].test, test) == 0)
			continue;
		list[(*count)++] = (struct shard_test){
			.test = test,
			.hundredths = (uint64_t)(seconds * 100 + 0.5),
			.alone = test_groups_has(groups, test->name, GROUP_ALONE),
		};
	}
	return list;
}

/* Gives each test to the part that has the least so far. That exceeds the best split by a third at
 * most (R. L. Graham, Bounds on multiprocessing timing anomalies, 1969). */
static int shard_assign(struct shard_test *list, size_t count, unsigned int parts)
{
	_cleanup_free_ struct shard_test **order = calloc(count + 1, sizeof(struct shard_test *));
	_cleanup_free_ uint64_t *loads = calloc(parts, sizeof(*loads));

	if (!order || !loads)
		return -1;
	for (size_t i = 0; i < count; i++)
		order[i] = &list[i];
	if (count)
		qsort(order, count, sizeof(struct shard_test *), compare_shard_order);
	for (size_t i = 0; i < count; i++) {
		for (unsigned int p = 1; p < parts; p++)
			if (loads[p] < loads[order[i]->part])
				order[i]->part = p;
		/* A test of no time still goes to another part than the one before it. */
		loads[order[i]->part] += order[i]->hundredths + 1;
	}
	return 0;
}

/* "PART SECONDS NAME [SECTION]", and ! after the seconds of a test that runs alone. */
static char *shard_write_plan(const struct shard_test *list, size_t count, unsigned int parts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, PLAN_HEADER "# %u parts\n", parts);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%u %" PRIu64 ".%02" PRIu64 "%s %s%s%s\n", list[i].part + 1,
			list[i].hundredths / 100, list[i].hundredths % 100,
			list[i].alone ? "!" : "", list[i].test->name,
			*list[i].test->section ? " " : "", list[i].test->section);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool shard_has(const struct shard *shard, const struct shard_test *list, size_t count,
		      const struct planned *test)
{
	const struct shard_test key = { .test = test };
	const struct shard_test *found =
		bsearch(&key, list, count, sizeof(*list), compare_shard_tests);

	return found && found->part + 1 == shard->part;
}

/* Removes the other parts' tests from PLAN, to whose list LIST points. */
static void shard_keep(const struct shard *shard, const struct shard_test *list, size_t count,
		       bool *keep, struct test_plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++)
		keep[i] = shard_has(shard, list, count, &plan->list[i]);
	for (size_t i = 0; i < plan->count; i++) {
		if (keep[i]) {
			plan->list[kept++] = plan->list[i];
		} else {
			free(plan->list[i].section);
			free(plan->list[i].name);
		}
	}
	plan->count = kept;
}

int shard_cut(struct shard *shard, struct test_plan *plan, const struct test_groups *groups,
	      const struct durations *durations, struct error **err)
{
	size_t count;
	_cleanup_free_ struct shard_test *list = shard_list(plan, groups, durations, &count);
	_cleanup_free_ bool *keep = calloc(plan->count + 1, sizeof(*keep));
	uint8_t sum[SHA256_LEN];

	if (!list || !keep || shard_assign(list, count, shard->parts) < 0)
		return error_no_memory(err);
	shard_clear(shard);
	shard->text = shard_write_plan(list, count, shard->parts);
	if (!shard->text)
		return error_no_memory(err);
	hash_of(shard->text, strlen(shard->text), sum);
	sha256_to_hex(sum, shard->hash);
	shard->all = count;
	for (size_t i = 0; i < count; i++) {
		if (list[i].part + 1 != shard->part)
			continue;
		shard->count++;
		shard->seconds += (double)list[i].hundredths / 100;
	}
	shard_keep(shard, list, count, keep, plan);
	return 0;
}

void shard_clear(struct shard *shard)
{
	free(shard->text);
	*shard = (struct shard){ .part = shard->part, .parts = shard->parts };
}

/* --- a kept plan ---------------------------------------------------------------------------- */

/* Takes "PART SECONDS NAME [SECTION]", which it modifies. */
static int shard_read_line(char *line, struct planned *test, unsigned int *part)
{
	const char *rest = shard_number(line, ' ', part);
	char *name = rest ? strchr(rest + 1, ' ') : NULL, *section;

	if (!name)
		return 1;
	name++;
	section = strchr(name, ' ');
	if (section)
		*section++ = '\0';
	if (!*name || test_name_length(name) != strlen(name) ||
	    (section && !text_is_clean(section)))
		return 1;
	test->name = strdup(name);
	test->section = strdup(section ? section : "");
	return test->name && test->section ? 0 : -1;
}

int shard_read_plan(const char *text, struct test_plan *plan, unsigned int **parts,
		    struct error **err)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = NULL;
	size_t lines = 0;
	int result = 0;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	*plan = (struct test_plan){ .list = calloc(lines + 1, sizeof(*plan->list)) };
	*parts = calloc(lines + 1, sizeof(**parts));
	if (!copy || !plan->list || !*parts)
		result = -1;
	else if (!text_has_prefix(copy, PLAN_HEADER))
		result = 1;
	for (char *line = result ? NULL : strtok_r(copy, "\n", &rest); line && result == 0;
	     line = strtok_r(NULL, "\n", &rest))
		if (*line != '#') {
			result = shard_read_line(line, &plan->list[plan->count],
						 &(*parts)[plan->count]);
			plan->count++;
		}
	if (result == 0)
		return 0;
	test_plan_clear(plan);
	free(STEAL_PTR(*parts));
	return result < 0 ? error_no_memory(err) : error_set(err, ERR_INPUT, "the plan is damaged");
}
