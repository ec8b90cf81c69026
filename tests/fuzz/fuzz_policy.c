/* A policy's text, and decisions by that policy. */
#include "policy/decide_mirror.h"
#include "policy/policy_text.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct caller caller = { .uid = 1000, .name = "lab", .home = "/home/lab" };
	_cleanup_(policy_free) struct policy *policy = NULL;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = fuzz_text(data, size);
	struct decision d;
	struct grant g;
	uint32_t first;

	if (policy_parse("fuzz", text, &policy, &err) < 0) {
		if (!err || !strstr(err->message, "fuzz:"))
			abort();
		return 0;
	}
	grant_make(&g, policy, &caller, NULL);
	for (size_t i = 0; i < operation_count; i++) {
		struct question q = {
			.request = operation_names[i].request,
			.suite = "jammy",
			.package = "bash",
			.engine = "debootstrap",
			.dir = "/home/lab/x",
			.keyring = -1,
		};

		policy_decide_request(&g, &q, &d);
		if (!g.rule && d.allowed)
			abort();
	}
	if (policy_range(&g, &first, NULL) == 0 &&
	    (first < POLICY_SLOT || first + POLICY_RANGE < first))
		abort();
	policy_decide_mirror(&g, "https://mirror.example/ubuntu", &d);
	return 0;
}
