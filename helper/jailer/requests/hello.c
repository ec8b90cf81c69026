/* Hello, the first request of a session, and OpenNamespace. */
#include <fcntl.h>

#include "helper/jailer/handlers.h"
#include "proto/note.h"

int handle_hello(struct server *s, struct request *request, struct error **err)
{
	struct note note = {
		.kind = NOTE_HELLO,
		.ids = { s->map->first_uid, s->map->first_gid, RANGE_COUNT },
	};

	if (request->task->hello.version != PROTOCOL_VERSION)
		return error_set(err, ERR_REFUSED,
				 "rootlet speaks protocol version %u, rootlet-helper version %u; "
				 "reinstall both",
				 request->task->hello.version, PROTOCOL_VERSION);
	s->greeted = true;
	snprintf(note.text, sizeof(note.text), "%s", mode_name(s->session->mode));
	return note_send(s->parser, &note, -1);
}

int handle_open_namespace(struct server *s, struct request *request, struct error **err)
{
	/* Except in installed mode, the caller owns it already. There it would bypass the
	 * policy. */
	if (s->session->mode == MODE_INSTALLED)
		return error_set(err, ERR_REFUSED,
				 "OpenNamespace refused: an installed rootlet-helper does not hand "
				 "out its namespace");
	request->fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (request->fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the user namespace");
	return 0;
}
