/* The handlers of requests, in requests/. */
#pragma once

#include "helper/jailer/server.h"

/* One handler for each row of requests.h. */
typedef int handler(struct server *s, struct request *request, struct error **err);
#define HANDLER(NAME, Name, name, ...) handler handle_##name;
REQUESTS(HANDLER)
#undef HANDLER
