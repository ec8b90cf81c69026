#include <string.h>

#include "proto/note.h"

int note_send(int channel, const struct note *note, int fd)
{
	return packet_send(channel, note, sizeof(*note), &fd, fd >= 0, NULL);
}

void note_set_error(struct note *note, const struct error *error)
{
	note->code = error ? error->code : ERR_SPACE;
	note->number = error ? error->number : 0;
	snprintf(note->text, sizeof(note->text), "%s", error_text(error));
}

void note_result(int channel, const struct error *error, int status)
{
	struct note note = { .kind = NOTE_RESULT, .status = status };

	if (error)
		note_set_error(&note, error);
	note_send(channel, &note, -1);
}

int note_error(struct note *note, struct error **err)
{
	if (note->code == ERR_NONE)
		return 0;
	note->text[sizeof(note->text) - 1] = '\0';
	error_set(err, note->code <= ERR_LAST ? note->code : ERR_SYSTEM, "%s", note->text);
	if (err && *err)
		(*err)->number = note->number;
	return -1;
}
