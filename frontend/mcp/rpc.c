#include "frontend/mcp/rpc.h"

#include <stdarg.h>
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"

/* The levels of RFC 5424, as the protocol names them. Starts with those of enum rpc_level. */
static const char *const levels[] = { "debug", "info",	   "notice", "warning",
				      "error", "critical", "alert",  "emergency" };

void rpc_batch_settle(struct mcp_server *s, struct rpc_batch *b)
{
	if (--b->pending)
		return;
	if (json_array_size(b->responses))
		wire_send(&s->wire, b->responses);
	else
		json_decref(b->responses);
	free(b);
}

static void respond(struct mcp_server *s, struct rpc_request *r, const char *kind, json_t *content)
{
	json_t *response =
		json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", r->id, kind, content);

	if (r->batch)
		json_array_append_new(r->batch->responses, response);
	else
		wire_send(&s->wire, response);
	rpc_drop(s, r);
}

void rpc_drop(struct mcp_server *s, struct rpc_request *r)
{
	json_decref(r->id);
	if (r->batch)
		rpc_batch_settle(s, r->batch);
	*r = (struct rpc_request){ 0 };
}

void rpc_reply(struct mcp_server *s, struct rpc_request *r, json_t *result)
{
	respond(s, r, "result", result);
}

void rpc_reply_error(struct mcp_server *s, struct rpc_request *r, enum rpc_error code,
		     const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	respond(s, r, "error",
		json_pack("{s:i, s:o}", "code", code, "message",
			  json_text(message ? message : "out of memory")));
}

void rpc_notify(struct mcp_server *s, const char *method, json_t *params)
{
	wire_send(&s->wire, json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method,
				      "params", params));
}

void rpc_log(struct mcp_server *s, enum rpc_level level, const char *logger, const char *text)
{
	if (level >= s->level)
		rpc_notify(s, "notifications/message",
			   json_pack("{s:s, s:s, s:o}", "level", levels[level], "logger", logger,
				     "data", json_text(text)));
}

bool rpc_set_level(struct mcp_server *s, const char *name)
{
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(name, levels[i]) == 0) {
			s->level = i;
			return true;
		}
	return false;
}
