/* Measurements for the benchmark that no command provides:
 *
 *   probe start       starts a helper, reads its first reply, disconnects; the helper exits by
 * itself probe requests N  prints the median of N requests on a running helper, in microseconds
 *   probe image TREE FILE  has a helper build an erofs image of the tree */
#include <fcntl.h>
#include <sys/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/client/client.h"
#include "frontend/client/view.h"
#include "lib/clock.h"
#include "lib/standard_descriptors.h"

static int complain(const struct error *err)
{
	fprintf(stderr, "probe: %s\n", err ? err->message : "out of memory");
	return 1;
}

static int compare(const void *a, const void *b)
{
	const double *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

static int probe_start(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct helper *helper = NULL;

	if (helper_start("probe", NULL, &helper, &err) < 0)
		return complain(err);
	fflush(NULL);
	_exit(0);
}

static int probe_requests(size_t count)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ double *took = calloc(count, sizeof(*took));
	struct helper *helper = NULL;
	int fd, r = took ? helper_start("probe", NULL, &helper, &err) : -1;

	for (size_t i = 0; r == 0 && i < count; i++) {
		int64_t began = clock_microseconds();

		r = helper_open_namespace(helper, &fd, &err);
		took[i] = (double)(clock_microseconds() - began);
		if (r == 0)
			close(fd);
	}
	helper_stop(&helper);
	if (r < 0)
		return complain(err);
	qsort(took, count, sizeof(*took), compare);
	printf("%.1f\n", took[count / 2]);
	return 0;
}

static int probe_image(const char *tree, const char *file)
{
	_cleanup_error_ struct error *err = NULL;
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__BuildImage message = ROOTLET__BUILD_IMAGE__INIT;
	struct helper *helper = NULL;
	int fds[2] = {
		-1,
		open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
	};
	char format[] = "erofs";
	int r;

	/* mkfs reopens the file, as a user without access to the caller's files. */
	fchmod(fds[1], 0666);
	message.format = format;
	request.kind_case = ROOTLET__REQUEST__KIND_BUILD_IMAGE;
	request.build_image = &message;
	r = helper_start("probe", NULL, &helper, &err);
	if (r == 0)
		r = view_open_at(helper, AT_FDCWD, tree, &fds[0], &err);
	if (r == 0)
		r = helper_call(helper, &request, fds, 2, NULL, &err);
	helper_stop(&helper);
	return r < 0 ? complain(err) : 0;
}

int main(int argc, char **argv)
{
	standard_descriptors_open();
	if (argc == 2 && strcmp(argv[1], "start") == 0)
		return probe_start();
	if (argc == 3 && strcmp(argv[1], "requests") == 0 && atoi(argv[2]) > 0)
		return probe_requests((size_t)atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "image") == 0)
		return probe_image(argv[2], argv[3]);
	fputs("usage: probe start | requests N | image TREE FILE\n", stderr);
	return 2;
}
