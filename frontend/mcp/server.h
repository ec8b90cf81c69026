/* `rootlet mcp`: a server of the Model Context Protocol on standard input and output. One process,
 * one poll loop; each call of a tool is a child that runs the same program's command with --json,
 * so that calls work side by side and a call is cancelled by a signal to its child. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend/mcp/wire.h"

/* JSON-RPC 2.0, section 5.1. */
enum rpc_error {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
};

/* What differs between the protocol's revisions. */
struct revision {
	const char *name;
	bool batches;
	/* Wrong arguments are the tool's failure, which a model can read and mend, and not one of
	 * the protocol. */
	bool arguments_by_tool;
};

/* The responses to the requests of one array, which go out together. */
struct batch {
	size_t pending;
	json_t *responses;
};

/* Whom to answer. ID is a reference of its owner's; BATCH is NULL for a request on its own. */
struct request {
	json_t *id;
	struct batch *batch;
};

struct call;

struct server {
	struct wire wire;
	json_t *tools;
	const struct revision *revision; /* NULL before initialize */
	unsigned level;			 /* of the messages that the client wants */
	struct call *calls;
	size_t call_count;
};

/* mcp_rpc.c */

/* Takes one line of input, or (NULL) one that was too long. */
void rpc_take_line(struct server *s, const char *line, size_t length);

/* Each answers R, whose id is released. RESULT is taken. */
void rpc_reply(struct server *s, struct request *r, json_t *result);
void rpc_reply_error(struct server *s, struct request *r, enum rpc_error code, const char *format,
		     ...) PRINTF_LIKE(4, 5);

/* R gets no answer, as one that was cancelled. */
void rpc_drop(struct server *s, struct request *r);

/* PARAMS is taken. */
void rpc_notify(struct server *s, const char *method, json_t *params);

/* notifications/message, where the client wants that level. */
enum level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_NOTICE, LEVEL_WARNING };
void rpc_log(struct server *s, enum level level, const char *logger, const char *text);

/* mcp_call.c */

struct pollfd;

#define CALLS_MAX 32
#define CALL_POLLED 3 /* descriptors of one call */

/* Starts what R asks for, and will answer it. ARGUMENTS and TOKEN (or NULL) stay the caller's. */
void call_start(struct server *s, struct request *r, const json_t *tool, json_t *arguments,
		json_t *token);

/* Ends the call of the request ID, which is then not answered; nothing where there is none. */
void call_cancel(struct server *s, const json_t *id);
void call_cancel_all(struct server *s);

/* Whether ID is that of a call under way. */
bool call_exists(const struct server *s, const json_t *id);

/* Fills in CALL_POLLED entries a call, and serves them after poll(). Returns how many there are.
 * LISTEN: whether the calls' output is to be read. */
size_t call_prepare(const struct server *s, struct pollfd *polled, bool listen);
void call_serve(struct server *s, const struct pollfd *polled);

/* Milliseconds until call_serve() has to be called, or -1. */
int call_time_left(const struct server *s);

/* mcp_text.c */

/* What a call's child left. RESULT is the last line of its standard output, or NULL. */
struct ending {
	const char *tool;
	const json_t *arguments, *result;
	const char *output;	 /* what the command in the guest said */
	const char *diagnostics; /* what the child said on standard error */
	int status;		 /* the child's exit status, or 128 + the signal that ended it */
};

/* What a person reads of it, the caller's to free. */
char *text_of_ending(const struct ending *e);
