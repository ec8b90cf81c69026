#include "frontend/archive/fetch_state.h"

#include <stdlib.h>

void downloads_clear(struct downloads *d)
{
	for (size_t i = 0; d->list && i < d->count; i++) {
		free((char *)(uintptr_t)d->list[i].what);
		download_clear(&d->list[i]);
	}
	free(d->list);
}

int work_send(struct fetch_work *w, const struct fetch_message *message, int fd, struct error **err)
{
	return fetch_message_send(w->channel, message, fd, err);
}
