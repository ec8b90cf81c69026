#include "frontend/commands/doctor_policy.h"

#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/paths.h"
#include "frontend/client/client.h"
#include "policy/grant.h"
#include "policy/policy_text.h"

#define PLAIN_HELPER ROOTLET_LIBEXECDIR "/rootlet-helper"
#define PRIVILEGED_HELPER ROOTLET_PRIVILEGED "/rootlet-helper" /* of a package */

void probe_helper(struct finding *f)
{
	_cleanup_free_ char *path = paths_helper(NULL);
	struct stat st;

	if (!path || stat(path, &st) < 0)
		finding_set(f, VERDICT_MISSING, "meson install", "%s is missing",
			    path ? path : "rootlet-helper");
	else if (access(path, X_OK) < 0)
		finding_set_join(
			f, VERDICT_MISSING, "rootlet",
			"%s can be run by the members of one group, and you are not one of them",
			path);
	else if (strcmp(path, PLAIN_HELPER) == 0 && access(PRIVILEGED_HELPER, F_OK) == 0)
		finding_set_join(f, VERDICT_WARNING, "rootlet",
				 "%s, without privileges of its own: " PRIVILEGED_HELPER
				 " is for the members of a group, and you are not one of them",
				 path);
	else if (!helper_is_installed())
		finding_set(f, VERDICT_OK, "", "%s, without privileges of its own", path);
	else if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH | S_IXOTH))
		finding_set(f, VERDICT_MISSING, "as root: " ROOTLET_INSTALLER,
			    "%s has capabilities, but is not owned by root with mode 0750", path);
	else
		finding_set(f, VERDICT_OK, "", "%s, installed: it writes id maps itself", path);
}

void probe_policy(struct finding *f)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	_cleanup_error_ struct error *err = NULL;
	struct caller caller;
	struct grant g;

	if (policy_load(POLICY_PATH, helper_is_installed(), &policy, &err) < 0 ||
	    caller_self(&caller, NULL, &err) < 0 || grant_make(&g, policy, &caller, &err) < 0) {
		finding_set(f, VERDICT_MISSING, "rootlet policy check", "%s", error_text(err));
		return;
	}
	if (!policy->path) {
		finding_set(f, VERDICT_OK, "", "none: you may do everything with rootlet");
		return;
	}
	if (g.rule)
		finding_set(f, VERDICT_OK, "", "you are under [allow %s] of " POLICY_PATH,
			    g.rule->name);
	else
		finding_set(f, VERDICT_MISSING, "ask an administrator to name you in " POLICY_PATH,
			    "no section names you: nothing is allowed");
}
