/* The handlers of requests, in requests/. */
#pragma once

#include "helper/jailer/server.h"

/* One handler for each row of requests.h. FDS match the row, and the dispatcher closes them. */
typedef int handler(struct server *s, const struct task *task, const int *fds, struct outcome *out,
		    struct error **err);
#define HANDLER(NAME, Name, name, ...) handler handle_##name;
REQUESTS(HANDLER)
#undef HANDLER
