#include "frontend/archive/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/archive/archive_reader.h"
#include "frontend/archive/fetch_message.h"
#include "frontend/archive/fetch_process.h"

bool decompress_support(struct archive *a)
{
	static int (*const filters[])(struct archive *) = {
		archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
		archive_read_support_filter_lzma, archive_read_support_filter_xz,
		archive_read_support_filter_lz4,  archive_read_support_filter_zstd,
	};

	/* ARCHIVE_WARN: the library was built without this filter and would run a program. */
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		if (filters[i](a) != ARCHIVE_OK) {
			archive_set_error(a, ENOSYS,
					  "libarchive was built without one of gzip, "
					  "bzip2, lzma, xz, lz4 and zstd");
			return false;
		}
	return true;
}

static int open_raw(struct archive *a, int fd, struct error **err)
{
	struct archive_entry *entry;

	if (!a)
		return error_no_memory(err);
	if (!decompress_support(a) || archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_support_format_empty(a) != ARCHIVE_OK ||
	    archive_read_open_fd(a, fd, 65536) != ARCHIVE_OK)
		return error_set(err, ERR_INPUT, "cannot decompress: %s", archive_error_string(a));
	switch (archive_read_next_header(a, &entry)) {
	case ARCHIVE_OK:
		return 1;
	case ARCHIVE_EOF:
		return 0;
	default:
		return error_set(err, ERR_INPUT, "cannot decompress: %s", archive_error_string(a));
	}
}

static char *decompress_here(int fd, size_t most, size_t *size, struct error **err)
{
	_cleanup_archive_ struct archive *a = archive_read_new();
	_cleanup_free_ char *data = NULL;
	size_t room = 0, used = 0;
	int more = open_raw(a, fd, err);

	if (more < 0)
		return NULL;
	while (used < most) {
		ssize_t n;

		if (used == room) {
			size_t wanted = room ? 2 * room : (size_t)1 << 20;
			char *larger;

			if (wanted > most)
				wanted = most;
			larger = realloc(data, wanted + 1);
			if (!larger) {
				error_no_memory(err);
				return NULL;
			}
			data = larger;
			room = wanted;
		}
		n = more ? archive_read_data(a, data + used, room - used) : 0;
		/* Garbage after the data, such as a kernel's padding, is not an error. */
		if (n < 0 && used == 0) {
			error_set(err, ERR_INPUT, "cannot decompress: %s", archive_error_string(a));
			return NULL;
		}
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (!data && !(data = malloc(1))) {
		error_no_memory(err);
		return NULL;
	}
	data[used] = '\0';
	*size = used;
	return STEAL_PTR(data);
}

/* --- in a confined process --- */

struct decompress_work {
	size_t most;
};

/* Gets the file with its only request; shares the file's offset with the process that opened it. */
static int decompress_serve(int channel, void *context)
{
	const struct decompress_work *work = context;
	struct fetch_message request, result = { .kind = FETCH_RESULT };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int from = -1, to = -1;
	size_t size = 0;
	char *data;

	if (fetch_message_receive(channel, &request, &from, NULL) <= 0)
		return 1;
	data = decompress_here(from, work->most, &size, &err);
	to = data ? fetch_write_sealed("the decompressed file", data, size, &err) : -1;
	free(data);
	fetch_message_set_error(&result, to < 0, err);
	return fetch_message_send(channel, &result, to, NULL) < 0;
}

static int decompress_in_child(int channel, int fd, int *out, struct error **err)
{
	const struct fetch_message request = { .kind = FETCH_ATTACHED };
	struct fetch_message result = { .kind = 0 };
	int r = fetch_message_send(channel, &request, fd, err);

	if (r == 0)
		r = fetch_message_receive(channel, &result, out, err);
	if (r <= 0 || result.kind != FETCH_RESULT)
		return error_set(err, ERR_SYSTEM,
				 "cannot decompress: the child process exited; see: journalctl -k");
	return result.result.code ? error_set(err, result.result.code, "%s", result.result.text)
				  : 0;
}

int decompress_sealed(int fd, size_t most, struct error **err)
{
	static const struct fetch_sandbox nothing = { .writable_count = 0 };
	struct decompress_work work = { most };
	const struct fetch_task task = { .run = decompress_serve, .context = &work };
	struct fetch_process process;
	_cleanup_close_ int out = -1;
	int r;

	if (fetch_process_start(&task, &nothing, &process, err) < 0)
		return -1;
	r = decompress_in_child(process.channel, fd, &out, err);
	fetch_process_stop(&process);
	if (r == 0 && !fetch_is_sealed(out, most))
		r = error_set(err, ERR_SYSTEM,
			      "cannot decompress: the child process sent invalid data");
	return r < 0 ? -1 : steal_fd(&out);
}

char *decompress(int fd, size_t most, size_t *size, struct error **err)
{
	_cleanup_close_ int sealed = decompress_sealed(fd, most, err);

	return sealed < 0 ? NULL : fetch_read_sealed(sealed, size, err);
}
