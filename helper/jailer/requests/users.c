/* AddGroup and AddUser: run programs of the tree in the jail. */
#include "helper/jailer/handlers.h"
#include "helper/jailer/jail_run.h"

int handle_add_group(struct server *s, struct request *request, struct error **err)
{
	struct output output = { 0 };
	struct jail_spec spec = {
		.kind = JAIL_TREE, .root = s->tree, .task = request->task, .epoch = s->epoch
	};
	int status = jail_run(s, &spec, &output, err);
	char tail[1024];

	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	return error_set(err, ERR_PACKAGE, "%s failed with status %d: %s",
			 request->task->operation == OP_ADD_GROUP ? "groupadd" : "useradd", status,
			 tail);
}

int handle_add_user(struct server *s, struct request *request, struct error **err)
{
	return handle_add_group(s, request, err);
}
