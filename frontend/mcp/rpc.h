/* JSON-RPC 2.0: the answers and notifications that an MCP server sends to its client. */
#pragma once

#include "frontend/mcp/wire.h"

/* JSON-RPC 2.0, section 5.1. */
enum rpc_error {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_RESOURCE_NOT_FOUND = -32002, /* of MCP */
};

/* The differences between the protocol's revisions. */
struct rpc_revision {
	const char *name;
	bool batches;
	/* Wrong arguments are an error of the tool, which a model can see and correct, and not one
	 * of the protocol. */
	bool arguments_by_tool;
};

/* The responses to one array of requests, which are sent together. */
struct rpc_batch {
	size_t pending;
	json_t *responses;
};

/* A request to answer. The owner holds a reference to ID. BATCH is NULL for a single request. */
struct rpc_request {
	json_t *id;
	struct rpc_batch *batch;
};

struct call;

struct mcp_server {
	struct wire wire;
	json_t *tools;
	json_t *page_tool;		     /* what reads resources: resources.h */
	const struct rpc_revision *revision; /* NULL before initialize */
	unsigned level;			     /* least level of messages that the client wants */
	struct call *calls;
	size_t call_count;
};

/* Each answers R, and releases its id. Takes ownership of RESULT. */
void rpc_reply(struct mcp_server *s, struct rpc_request *r, json_t *result);
void rpc_reply_error(struct mcp_server *s, struct rpc_request *r, enum rpc_error code,
		     const char *format, ...) PRINTF_LIKE(4, 5);

/* Releases R without an answer: it was cancelled. */
void rpc_drop(struct mcp_server *s, struct rpc_request *r);

/* One request of B is done. After the last one, sends the answers. */
void rpc_batch_settle(struct mcp_server *s, struct rpc_batch *b);

/* Takes ownership of PARAMS. */
void rpc_notify(struct mcp_server *s, const char *method, json_t *params);

/* Sends notifications/message, if the client wants that level. */
enum rpc_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_NOTICE, LEVEL_WARNING };
void rpc_log(struct mcp_server *s, enum rpc_level level, const char *logger, const char *text);

/* Sets the least level that the client wants. Returns false if NAME is not a level. */
bool rpc_set_level(struct mcp_server *s, const char *name);
