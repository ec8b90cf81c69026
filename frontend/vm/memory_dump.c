#include "frontend/vm/memory_dump.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "frontend/cli/text.h"
#include "frontend/vm/vm_directory.h"
#include "frontend/vm/vm_options.h"
#include "lib/clock.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define DRAFT VM_DUMP_NAME ".part"
#define STALL_MS 120000 /* an emulated guest's page tables: seconds */
#define PAGE ((size_t)4096)
#define PIPE_SIZE (1 << 20)
#define BLOCKS_AT_ONCE 64

/* What the disk keeps free for everything else. */
#define RESERVE (UINT64_C(1) << 30)
/* Beside the memory, the file has headers, and the memory of devices. */
#define MARGIN (UINT64_C(256) << 20)

/* Source: qemu docs/interop/qmp-spec, qapi/dump.json. */
static const char greet[] = "{\"execute\": \"qmp_capabilities\"}\n";
static const char quit[] = "{\"execute\": \"quit\"}\n";
static const char dump[] = "{\"execute\": \"dump-guest-memory\", \"id\": \"dump\", \"arguments\": "
			   "{\"paging\": %s, \"protocol\": \"file:" VM_DIR "/" VM_MEMORY "\"}}\n";

int memory_dump_open(struct memory_dump *d, const struct vm_config *config, int monitor[static 2],
		     int data, struct vm_dump *result, struct error **err)
{
	*d = (struct memory_dump)DUMP_NONE;
	d->config = config;
	d->to_monitor = monitor[0];
	d->from_monitor = monitor[1];
	d->data = data;
	d->result = result;
	/* If that is not allowed, it takes longer. */
	fcntl(data, F_SETPIPE_SZ, PIPE_SIZE);
	if (write_all(d->to_monitor, greet, strlen(greet)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to qemu's monitor");
	return 0;
}

void memory_dump_close(struct memory_dump *d)
{
	/* Otherwise no other guest of the run could keep its memory. */
	if (d->file >= 0)
		unlinkat(d->config->dump_directory, DRAFT, 0);
	closep(&d->file);
	closep(&d->to_monitor);
	closep(&d->from_monitor);
	closep(&d->data);
	*d = (struct memory_dump)DUMP_NONE;
}

int memory_dump_prepare(const struct memory_dump *d, struct pollfd polled[static DUMP_POLLED])
{
	int64_t left = d->deadline - clock_milliseconds();

	polled[0] = (struct pollfd){ .fd = d->from_monitor, .events = POLLIN };
	polled[1] = (struct pollfd){ .fd = d->data, .events = POLLIN };
	return d->state != DUMP_RUNNING ? -1 : left < 0 ? 0 : (int)left;
}

/* ERR is why there is no file; NULL if there is one. */
static void finish(struct memory_dump *d, struct error **err)
{
	d->state = DUMP_OVER;
	if (!*err && (ftruncate(d->file, (off_t)d->size) < 0 ||
		      renameat(d->config->dump_directory, DRAFT, d->config->dump_directory,
			       VM_DUMP_NAME) < 0))
		error_errno(err, ERR_SYSTEM, "cannot write " VM_DUMP_NAME);
	if (*err)
		snprintf(d->result->failure, sizeof(d->result->failure), "%s", (*err)->message);
	else
		d->result->bytes = d->size;
	if (*err && d->file >= 0)
		unlinkat(d->config->dump_directory, DRAFT, 0);
	closep(&d->file);
	d->file = -1;
	error_free(err);
}

/* One file per run: another guest of it may have been first. */
static bool open_draft(struct memory_dump *d, struct error **err)
{
	int at = d->config->dump_directory;
	struct statvfs disk;
	struct stat st;

	if (fstatat(at, VM_DUMP_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return false;
	d->file = openat(at, DRAFT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (d->file < 0 && errno == EEXIST)
		return false;
	if (d->file < 0 || fstatvfs(d->file, &disk) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot create " VM_DUMP_NAME);
		return true;
	}
	d->room = (uint64_t)disk.f_bavail * disk.f_frsize;
	d->room = d->room > RESERVE ? d->room - RESERVE : 0;
	return true;
}

void memory_dump_begin(struct memory_dump *d)
{
	_cleanup_error_ struct error *err = NULL;
	char command[sizeof(dump) + 8];

	if (d->state != DUMP_IDLE)
		return;
	if (!open_draft(d, &err)) {
		d->state = DUMP_OVER;
		return;
	}
	snprintf(command, sizeof(command), dump, d->config->dump_virtual ? "true" : "false");
	if (!err && write_all(d->to_monitor, command, strlen(command)) < 0)
		error_errno(&err, ERR_SYSTEM, "cannot write to qemu's monitor");
	if (err)
		finish(d, &err);
	else
		d->state = DUMP_RUNNING;
	d->deadline = clock_milliseconds() + STALL_MS;
}

void memory_dump_quit(struct memory_dump *d)
{
	if (d->state == DUMP_IDLE && write_all(d->to_monitor, quit, strlen(quit)) == 0)
		d->state = DUMP_OVER;
}

/* --- the data ------------------------------------------------------------------------------- */

static bool has_only_zeros(const char *data, size_t size)
{
	return !*data && memcmp(data, data + 1, size - 1) == 0;
}

/* Writes a block that is at most as large as what is left of its page. */
static int store(struct memory_dump *d, const char *data, size_t size, struct error **err)
{
	char free_text[TEXT_SIZE_LEN];
	uint64_t most = parse_size(d->config->memory, true) + MARGIN;

	if (d->size + size > most)
		return error_set(err, ERR_SYSTEM, "qemu writes more than the guest's memory");
	if (has_only_zeros(data, size)) {
		d->size += size;
		return 0;
	}
	if (d->stored + size > d->room)
		return error_set(
			err, ERR_SYSTEM,
			"the disk has room for only %s (1 GB stays free); fix: free some, or "
			"use a smaller --memory",
			text_size(d->room, free_text));
	if (lseek(d->file, (off_t)d->size, SEEK_SET) < 0 || write_all(d->file, data, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write " VM_DUMP_NAME);
	d->size += size;
	d->stored += size;
	return 0;
}

/* Returns 1, 0 if nothing was there, or -1 with ERR set. */
static int read_data(struct memory_dump *d, struct error **err)
{
	static char data[PIPE_SIZE];
	ssize_t size = read(d->data, data, sizeof(data));

	for (size_t at = 0; size > 0 && at < (size_t)size;) {
		size_t part = PAGE - d->size % PAGE;

		part = part < (size_t)size - at ? part : (size_t)size - at;
		if (store(d, data + at, part, err) < 0)
			return -1;
		at += part;
	}
	return size > 0;
}

/* --- the monitor ---------------------------------------------------------------------------- */

static void take_answer(struct memory_dump *d, const json_t *answer, struct error **err)
{
	const char *event = json_string_value(json_object_get(answer, "event"));
	const char *id = json_string_value(json_object_get(answer, "id"));
	const char *why =
		json_string_value(json_object_get(json_object_get(answer, "error"), "desc"));
	char text[128];

	if (event && strcmp(event, "SHUTDOWN") == 0)
		d->reset = true;
	if (d->state != DUMP_RUNNING || !id || strcmp(id, "dump") != 0)
		return;
	d->answered = true;
	if (json_object_get(answer, "return"))
		return;
	snprintf(text, sizeof(text), "%s", why ? why : "no reason given");
	error_set(err, ERR_SYSTEM, "qemu cannot write it: %s", text_clean(text));
}

/* A taken-over qemu may write anything: a line that is too long or no JSON is ignored. */
static void read_monitor(struct memory_dump *d, struct error **err)
{
	char data[1024];
	ssize_t size = read(d->from_monitor, data, sizeof(data));

	for (ssize_t i = 0; i < size; i++) {
		json_t *answer;

		if (data[i] != '\n') {
			d->line[d->length] = data[i];
			d->length += d->length < sizeof(d->line) - 1;
			continue;
		}
		answer = json_loadb(d->line, d->length, 0, NULL);
		take_answer(d, answer, err);
		json_decref(answer);
		d->length = 0;
	}
}

void memory_dump_serve(struct memory_dump *d)
{
	_cleanup_error_ struct error *err = NULL;
	int got = 0;

	if (d->from_monitor < 0)
		return;
	read_monitor(d, &err);
	if (d->state != DUMP_RUNNING)
		return;
	for (int i = 0; i < BLOCKS_AT_ONCE && !err && (got = read_data(d, &err)) > 0; i++)
		d->deadline = clock_milliseconds() + STALL_MS;
	if (!err && got == 0 && !d->answered && clock_milliseconds() >= d->deadline)
		error_set(&err, ERR_SYSTEM, "qemu wrote nothing for %d s", STALL_MS / 1000);
	if (err || (d->answered && got == 0))
		finish(d, &err);
}
