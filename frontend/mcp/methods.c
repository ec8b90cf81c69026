#include "frontend/mcp/methods.h"

#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/mcp/call.h"
#include "frontend/mcp/resources.h"
#include "frontend/mcp/tools.h"

/* Newest first. A client that wants an unknown revision is offered the newest. */
static const struct rpc_revision revisions[] = {
	{ "2025-11-25", .arguments_by_tool = true },
	{ "2025-06-18" },
	{ "2025-03-26", .batches = true },
	{ "2024-11-05", .batches = true },
};

static const char instructions[] =
	"Creates root filesystems for kernel testing without root privileges, boots kernels on "
	"them in VMs, and runs fstests there. Start with check_test_rootfs. If there is no rootfs, "
	"create one with create_test_rootfs. fstests_dependencies says "
	"which packages fstests lacks there, and install_packages installs them. doctor reports "
	"what the host lacks. Logs and results of runs are resources, in pages of 2 kB: see "
	"rootlet://runs/last.";

static bool is_id(const json_t *id)
{
	return json_is_string(id) || json_is_integer(id);
}

static void handle_initialize(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	const char *wanted = json_string_value(json_object_get(params, "protocolVersion"));

	if (!wanted) {
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "protocolVersion is missing");
		return;
	}
	if (s->revision) {
		rpc_reply_error(s, r, RPC_INVALID_REQUEST, "already initialized");
		return;
	}
	s->revision = &revisions[0];
	for (size_t i = 0; i < sizeof(revisions) / sizeof(revisions[0]); i++)
		if (strcmp(wanted, revisions[i].name) == 0)
			s->revision = &revisions[i];
	rpc_reply(s, r,
		  json_pack("{s:s, s:{s:{}, s:{}, s:{s:b}}, s:{s:s, s:s, s:s}, s:s}",
			    "protocolVersion", s->revision->name, "capabilities", "logging",
			    "resources", "tools", "listChanged", 0, "serverInfo", "name", "rootlet",
			    "title", "rootlet", "version", ROOTLET_VERSION, "instructions",
			    instructions));
}

static void handle_ping(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	(void)params;
	rpc_reply(s, r, json_object());
}

/* All items fit on one page, so no cursor is valid. */
static void reply_list(struct mcp_server *s, struct rpc_request *r, const json_t *params,
		       const char *key, json_t *list)
{
	if (json_object_get(params, "cursor")) {
		json_decref(list);
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "unknown cursor");
		return;
	}
	rpc_reply(s, r, json_pack("{s:o}", key, list));
}

static void handle_list(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	reply_list(s, r, params, "tools", tools_publish(s->tools));
}

static void handle_resources(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	reply_list(s, r, params, "resources", resources_publish());
}

static void handle_templates(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	reply_list(s, r, params, "resourceTemplates", resource_templates_publish());
}

static void handle_resource(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	const char *uri = json_string_value(json_object_get(params, "uri"));

	if (uri)
		resource_read(s, r, uri);
	else
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "uri is missing, or not a string");
}

static void handle_level(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	const char *level = json_string_value(json_object_get(params, "level"));

	if (level && rpc_set_level(s, level))
		rpc_reply(s, r, json_object());
	else
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "level is unknown");
}

static void refuse_arguments(struct mcp_server *s, struct rpc_request *r, const struct error *err)
{
	const char *message = error_text(err);

	if (!s->revision->arguments_by_tool)
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "%s", message);
	else
		rpc_reply(s, r,
			  json_pack("{s:[{s:s, s:o}], s:b}", "content", "type", "text", "text",
				    json_text(message), "isError", 1));
}

/* The only tool that is not a command: its calls are the server's own. */
static void call_end_vms(struct mcp_server *s, struct rpc_request *r, const json_t *arguments)
{
	json_t *ended = calls_end_vms(s, json_is_true(json_object_get(arguments, "force")));
	size_t count = json_array_size(ended);
	char text[80] = "No VM of this session is running";

	if (count)
		snprintf(text, sizeof(text), "✓ Ended %zu VM%s of this session", count,
			 count == 1 ? "" : "s");
	rpc_reply(s, r,
		  json_pack("{s:[{s:s, s:s}], s:b, s:{s:o}}", "content", "type", "text", "text",
			    text, "isError", 0, "structuredContent", "ended", ended));
}

static void handle_call(struct mcp_server *s, struct rpc_request *r, const json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	json_t *arguments = json_object_get(params, "arguments");
	json_t *token = json_object_get(json_object_get(params, "_meta"), "progressToken");
	json_t *tool = name ? tool_find(s->tools, name) : NULL;
	json_t *none = arguments ? NULL : json_object();
	_cleanup_error_ struct error *err = NULL;

	if (!name)
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "name is missing, or not a string");
	else if (!tool)
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "Unknown tool: %.80s", name);
	else if (arguments && !json_is_object(arguments))
		rpc_reply_error(s, r, RPC_INVALID_PARAMS, "arguments is not an object");
	else if (token && !is_id(token))
		rpc_reply_error(s, r, RPC_INVALID_PARAMS,
				"progressToken is neither a string nor an integer");
	else if (tool_check(tool, arguments ? arguments : none, &err) < 0)
		refuse_arguments(s, r, err);
	else if (strcmp(name, "kill_hanging_vms") == 0)
		call_end_vms(s, r, arguments);
	else
		call_start(s, r, tool, arguments ? arguments : none, token, NULL);
	json_decref(none);
}

static const struct {
	const char *name;
	void (*handle)(struct mcp_server *s, struct rpc_request *r, const json_t *params);
	bool early; /* allowed before initialize */
} methods[] = {
	{ "initialize", handle_initialize, true },
	{ "ping", handle_ping, true },
	{ "tools/list", handle_list },
	{ "tools/call", handle_call },
	{ "resources/list", handle_resources },
	{ "resources/templates/list", handle_templates },
	{ "resources/read", handle_resource },
	{ "logging/setLevel", handle_level },
};

static void handle_request(struct mcp_server *s, struct rpc_request *r, const char *method,
			   const json_t *params)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(method, methods[i].name) != 0)
			continue;
		if (!s->revision && !methods[i].early)
			rpc_reply_error(s, r, RPC_INVALID_REQUEST, "initialize must come first");
		else if (params && !json_is_object(params))
			rpc_reply_error(s, r, RPC_INVALID_PARAMS, "params is not an object");
		else
			methods[i].handle(s, r, params);
		return;
	}
	rpc_reply_error(s, r, RPC_METHOD_NOT_FOUND, "Method not found: %.80s", method);
}

/* Ignores unknown and malformed notifications, since notifications have no answer. */
static void handle_notification(struct mcp_server *s, const char *method, const json_t *params)
{
	const json_t *id = json_object_get(params, "requestId");

	if (strcmp(method, "notifications/cancelled") == 0 && is_id(id))
		call_cancel(s, id);
}

static void methods_refuse(struct mcp_server *s, struct rpc_batch *b, enum rpc_error code,
			   const char *why)
{
	struct rpc_request r = { .id = json_null(), .batch = b };

	if (b)
		b->pending++;
	rpc_reply_error(s, &r, code, "%s", why);
}

static void methods_take_message(struct mcp_server *s, struct rpc_batch *b, const json_t *message)
{
	const json_t *version = json_object_get(message, "jsonrpc");
	const char *method = json_string_value(json_object_get(message, "method"));
	json_t *id = json_object_get(message, "id"), *params = json_object_get(message, "params");
	struct rpc_request r = { .id = id, .batch = b };

	/* Ignore responses: this server sends no requests. */
	if (json_is_object(message) && !json_object_get(message, "method") &&
	    (json_object_get(message, "result") || json_object_get(message, "error")))
		return;
	if (!json_string_value(version) || strcmp(json_string_value(version), "2.0") != 0 ||
	    !method || (id && !is_id(id))) {
		methods_refuse(s, b, RPC_INVALID_REQUEST, "Invalid Request");
	} else if (!id) {
		handle_notification(s, method, params);
	} else {
		json_incref(id);
		if (b)
			b->pending++;
		if (call_exists(s, id))
			rpc_reply_error(s, &r, RPC_INVALID_REQUEST,
					"a request with this id is in progress");
		else
			handle_request(s, &r, method, params);
	}
}

static void take_batch(struct mcp_server *s, const json_t *messages)
{
	struct rpc_batch *b;
	const json_t *message;
	size_t i;

	if (!s->revision || !s->revision->batches || json_array_size(messages) == 0) {
		methods_refuse(s, NULL, RPC_INVALID_REQUEST,
			       json_array_size(messages) ? "this protocol revision has no batches"
							 : "Invalid Request: an empty batch");
		return;
	}
	b = calloc(1, sizeof(*b));
	if (!b || !(b->responses = json_array())) {
		free(b);
		methods_refuse(s, NULL, RPC_INTERNAL_ERROR, "out of memory");
		return;
	}
	/* Hold the batch until all of it is read, since its first request may be answered at once.
	 */
	b->pending = 1;
	json_array_foreach(messages, i, message) methods_take_message(s, b, message);
	rpc_batch_settle(s, b);
}

void methods_take_line(struct mcp_server *s, const char *line, size_t length)
{
	json_error_t where;
	json_t *message;

	if (!line) {
		methods_refuse(s, NULL, RPC_INVALID_REQUEST, "the message is larger than 1 MiB");
		return;
	}
	if (strspn(line, " \t\r") >= length)
		return;
	message = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (!message)
		methods_refuse(s, NULL, RPC_PARSE_ERROR, "Parse error");
	else if (json_is_array(message))
		take_batch(s, message);
	else
		methods_take_message(s, NULL, message);
	json_decref(message);
}
