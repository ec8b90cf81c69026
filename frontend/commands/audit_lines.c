#include "frontend/commands/audit_lines.h"

#include <string.h>

#include "frontend/cli/paths.h"

int audit_each_line(const char *path, audit_visit *function, void *context, struct error **err)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!f)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot open the audit log %s", path);
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		function(line, (size_t)n, context);
	}
	return 0;
}

const char *audit_text(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "";
}

char *audit_find_log(const struct policy *policy, struct error **err)
{
	if (policy && policy->path && access(policy->file, R_OK) == 0)
		return strdup(policy->file);
	return paths_state("audit.log", err);
}
