#include "frontend/archive/fetch_message.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "frontend/cli/text.h"
#include "lib/write_all.h"

#define TEXTS_MAX 5

/* Position of a text in the messages of a kind. */
struct text_field {
	size_t offset, size, count;
};

#define FIELD_SIZE(member) sizeof(((struct fetch_message *)NULL)->member)
#define SIZE_OF(member) (offsetof(struct fetch_message, member) + FIELD_SIZE(member))
#define TEXT(member)                                                                               \
	{                                                                                          \
		offsetof(struct fetch_message, member), FIELD_SIZE(member), 1                      \
	}

static const struct message_layout {
	size_t size;
	struct text_field texts[TEXTS_MAX];
} layouts[FETCH_LAST + 1] = {
	[FETCH_RELEASES] = { SIZE_OF(releases), { { 0 } } },
	[FETCH_ACCEPT] = { SIZE_OF(accept), { { 0 } } },
	[FETCH_WANT] = { SIZE_OF(want), { TEXT(want.word) } },
	[FETCH_DEB] = { offsetof(struct fetch_message, releases), { { 0 } } },
	[FETCH_CHOOSE] = { SIZE_OF(choose), { { 0 } } },
	[FETCH_DOWNLOAD] = { offsetof(struct fetch_message, releases), { { 0 } } },
	[FETCH_FILE] = { SIZE_OF(file), { TEXT(file.path) } },
	[FETCH_PROGRAMS] = { SIZE_OF(programs), { { 0 } } },
	[FETCH_ATTACHED] = { offsetof(struct fetch_message, releases), { { 0 } } },
	[FETCH_UNPACK] = { SIZE_OF(package_number), { { 0 } } },
	[FETCH_ADDRESSES] = { SIZE_OF(addresses),
			      { { offsetof(struct fetch_message, addresses.list), INET6_ADDRSTRLEN,
				  FETCH_ADDRESSES_MAX },
				TEXT(addresses.why) } },
	[FETCH_RESULT] = { SIZE_OF(result), { TEXT(result.text) } },
	[FETCH_STAGE] = { SIZE_OF(stage), { TEXT(stage.text) } },
	[FETCH_UPDATE] = { SIZE_OF(update), { { 0 } } },
	[FETCH_NOTE] = { SIZE_OF(note), { TEXT(note.text) } },
	[FETCH_RESOLVE] = { SIZE_OF(resolve), { TEXT(resolve.host) } },
	[FETCH_RELEASE] = { SIZE_OF(release), { { 0 } } },
	[FETCH_FACTS] = { SIZE_OF(facts), { TEXT(facts.date), TEXT(facts.origin) } },
	[FETCH_INDEX] = { SIZE_OF(index), { TEXT(index.component) } },
	[FETCH_LEFT_OUT] = { SIZE_OF(left_out), { TEXT(left_out.word) } },
	[FETCH_PACKAGE] = { SIZE_OF(package),
			    { TEXT(package.name), TEXT(package.version), TEXT(package.arch),
			      TEXT(package.source), TEXT(package.source_version) } },
	[FETCH_REMOVED] = { SIZE_OF(removed), { TEXT(removed.name) } },
	[FETCH_ARRIVED] = { SIZE_OF(package_number), { { 0 } } },
};

void fetch_message_set_error(struct fetch_message *result, bool failed, const struct error *error)
{
	if (!failed)
		return;
	result->result.code = error ? error->code : ERR_SPACE;
	result->result.number = error ? error->number : 0;
	snprintf(result->result.text, sizeof(result->result.text), "%s", error_text(error));
}

bool fetch_is_sealed(int fd, size_t most)
{
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & FETCH_SEALS) == FETCH_SEALS && fstat(fd, &st) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size <= most;
}

int fetch_write_sealed(const char *name, const void *data, size_t size, struct error **err)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write_all(fd, data, size) < 0 || fcntl(fd, F_ADD_SEALS, FETCH_SEALS) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot store %s", name);
	return steal_fd(&fd);
}

char *fetch_read_sealed(int fd, size_t *size, struct error **err)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t done = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0 || !(data = malloc((size_t)st.st_size + 1))) {
		error_errno(err, ERR_SYSTEM, "cannot read what a child process sent");
		return NULL;
	}
	*size = (size_t)st.st_size;
	while (done < *size &&
	       (n = RETRY_ON_EINTR(pread(fd, data + done, *size - done, (off_t)done))) > 0)
		done += (size_t)n;
	if (done < *size) {
		errno = n < 0 ? errno : EIO; /* a sealed file cannot have become shorter */
		error_errno(err, ERR_SYSTEM, "cannot read what a child process sent");
		return NULL;
	}
	data[*size] = '\0';
	return STEAL_PTR(data);
}

static const struct message_layout *layout_of(const struct fetch_message *message)
{
	return message->kind && message->kind <= FETCH_LAST ? &layouts[message->kind] : NULL;
}

int fetch_message_send(int channel, const struct fetch_message *message, int fd, struct error **err)
{
	const struct message_layout *layout = layout_of(message);

	if (!layout)
		return error_set(err, ERR_SYSTEM, "a message of an unknown kind");
	return packet_send(channel, message, layout->size, &fd, fd >= 0, err);
}

static bool take_texts(const struct message_layout *layout, struct fetch_message *message)
{
	for (const struct text_field *f = layout->texts; f < layout->texts + TEXTS_MAX; f++)
		for (size_t i = 0; i < f->count; i++) {
			char *text = (char *)message + f->offset + i * f->size;

			if (!memchr(text, '\0', f->size))
				return false;
			text_clean(text);
		}
	return true;
}

int fetch_message_receive(int channel, struct fetch_message *message, int *fd, struct error **err)
{
	int fds[PACKET_FDS_MAX];
	const struct message_layout *layout;
	size_t count;
	ssize_t n;

	*fd = -1;
	memset(message, 0, sizeof(*message));
	n = packet_receive(channel, message, sizeof(*message), fds, &count, err);
	if (n <= 0)
		return (int)n;
	layout = n >= (ssize_t)sizeof(message->kind) ? layout_of(message) : NULL;
	if (count <= 1 && layout && (size_t)n == layout->size && take_texts(layout, message)) {
		*fd = fds[0];
		return 1;
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return error_set(err, ERR_INPUT, "a malformed message");
}
