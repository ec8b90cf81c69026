#include "frontend/commands/audit_journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "frontend/cli/child.h"
#include "frontend/commands/audit_lines.h"
#include "policy/grant.h"
#include "policy/subids.h"

static const char *const query[] = { "journalctl",
				     "--no-pager",
				     "--quiet",
				     "--all",
				     "--output=json",
				     "--output-fields=_UID,ROOTLET_UID,ROOTLET_USER,ROOTLET_SEQ,"
				     "ROOTLET_PREV,ROOTLET_HASH,ROOTLET_KIND,ROOTLET_REQUEST,"
				     "ROOTLET_RULE",
				     "SYSLOG_IDENTIFIER=rootlet-helper",
				     NULL };

/* UINT32_MAX if it is not a number. */
static uint32_t number_of(const json_t *entry, const char *key)
{
	const char *text = audit_text(entry, key);
	uintmax_t number = strtoumax(text, NULL, 10);

	if (!*text || text[strspn(text, "0123456789")] || number > UINT32_MAX)
		return UINT32_MAX;
	return (uint32_t)number;
}

/* Whether the entry was sent by the helper of the user that it names. Callers without a range are
 * refused by a process with the spare id of root's range. */
static bool is_helpers(const struct policy *policy, const json_t *entry)
{
	uint32_t sender = number_of(entry, "_UID"), uid = number_of(entry, "ROOTLET_UID"), first;

	if (sender == UINT32_MAX || uid == UINT32_MAX)
		return false;
	if (uid == 0 || sender == SUBIDS_ROOT_FIRST + POLICY_RANGE)
		return sender == 0 || sender == SUBIDS_ROOT_FIRST + POLICY_RANGE;
	return policy_find_range(policy, audit_text(entry, "ROOTLET_USER"), uid, &first) &&
	       sender == first + POLICY_RANGE;
}

static json_t *take_entries(FILE *in, const struct policy *policy, size_t *forged)
{
	_cleanup_free_ char *line = NULL;
	json_t *entries = json_array();
	size_t size = 0;
	ssize_t n;

	*forged = 0;
	while ((n = getline(&line, &size, in)) > 0) {
		json_t *entry = json_loadb(line, (size_t)n, 0, NULL);

		if (is_helpers(policy, entry))
			json_array_append(entries, entry);
		else
			++*forged;
		json_decref(entry);
	}
	return entries;
}

json_t *audit_journal_read(const struct policy *policy, size_t *forged, struct error **err)
{
	_cleanup_fclose_ FILE *in = NULL;
	json_t *entries;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || !(in = fdopen(ends[0], "re"))) {
		error_errno(err, ERR_SYSTEM, "cannot make a pipe");
		return NULL;
	}
	status = child_start(query, (int[3]){ -1, ends[1], STDERR_FILENO }, &pid, err);
	close(ends[1]);
	if (status < 0)
		return NULL;
	entries = take_entries(in, policy, forged);
	status = child_wait(pid, err);
	/* journalctl ends with 1 if no entry matches. */
	if (status == 0 || (status == 1 && json_array_size(entries) == 0 && *forged == 0))
		return entries;
	json_decref(entries);
	if (status == 127)
		error_set(err, ERR_HOST, "cannot read the journal: journalctl is not installed");
	else if (status >= 0)
		error_set(err, ERR_HOST,
			  "cannot read the journal: journalctl failed with status %d", status);
	return NULL;
}
