/* AddGroup and AddUser: run programs of the tree in the jail. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"

int handle_add_group(struct server *s, struct request *request, struct error **err)
{
	const struct jail_spec spec = {
		.kind = JAIL_TREE, .root = s->tree, .task = request->task, .epoch = s->epoch
	};

	return jail_run_well(s, &spec,
			     request->task->operation == OP_ADD_GROUP ? "groupadd" : "useradd",
			     NULL, err);
}

int handle_add_user(struct server *s, struct request *request, struct error **err)
{
	return handle_add_group(s, request, err);
}
