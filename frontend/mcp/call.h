/* Calls of tools under way. Each runs one of rootlet's commands with --json as a child, so that
 * calls work side by side; a signal to the child cancels one. */
#pragma once

#include "frontend/mcp/rpc.h"

struct pollfd;

#define CALLS_MAX 32
#define CALL_POLLED 3 /* descriptors of one call */

/* Starts what R asks for, and will answer it. ARGUMENTS and TOKEN (or NULL) stay the caller's. */
void call_start(struct mcp_server *s, struct rpc_request *r, const json_t *tool, json_t *arguments,
		json_t *token);

/* Ends the call of the request ID, which is then not answered; nothing where there is none. */
void call_cancel(struct mcp_server *s, const json_t *id);
void call_cancel_all(struct mcp_server *s);

/* Whether ID is that of a call under way. */
bool call_exists(const struct mcp_server *s, const json_t *id);

/* Fills in CALL_POLLED entries a call, and serves them after poll(). Returns how many there are.
 * LISTEN: whether the calls' output is to be read. */
size_t call_prepare(const struct mcp_server *s, struct pollfd *polled, bool listen);
void call_serve(struct mcp_server *s, const struct pollfd *polled);

/* Milliseconds until call_serve() has to be called, or -1. */
int call_time_left(const struct mcp_server *s);
