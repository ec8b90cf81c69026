/* Tool calls in progress. Each runs a rootlet command with --json as a child process, so that calls
 * run in parallel; a signal to the child cancels the call. */
#pragma once

#include "frontend/mcp/rpc.h"
#include "frontend/mcp/tool_text.h"

struct pollfd;

#define CALLS_MAX 32
#define CALL_POLLED 3 /* descriptors of one call */

/* Answers R: a call has ended so. */
typedef void call_answer_function(struct mcp_server *s, struct rpc_request *r,
				  const struct call_ending *e);

/* Starts the call of R, and answers R when it ends: with ANSWER, or, if that is NULL, with the
 * result of a tool. ARGUMENTS and TOKEN (or NULL) stay the caller's. */
void call_start(struct mcp_server *s, struct rpc_request *r, const json_t *tool, json_t *arguments,
		json_t *token, call_answer_function *answer);

/* Ends the call of request ID, if it exists. The request then gets no answer. */
void call_cancel(struct mcp_server *s, const json_t *id);
void call_cancel_all(struct mcp_server *s);

/* Sends SIGTERM, or with FORCE SIGKILL, to the calls of tools that boot VMs. They are answered when
 * they end. Returns which they are: a list of {tool, pid, seconds}. */
json_t *calls_end_vms(const struct mcp_server *s, bool force);

/* Whether a call of request ID is in progress. */
bool call_exists(const struct mcp_server *s, const json_t *id);

/* call_prepare() sets CALL_POLLED entries for each call, and returns their number; call_serve()
 * handles them after poll(). LISTEN: whether to read the calls' output. */
size_t call_prepare(const struct mcp_server *s, struct pollfd *polled, bool listen);
void call_serve(struct mcp_server *s, const struct pollfd *polled);

/* Milliseconds until call_serve() must be called, or -1. */
int call_time_left(const struct mcp_server *s);
