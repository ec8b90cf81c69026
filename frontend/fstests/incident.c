#include "frontend/fstests/incident.h"

#include "frontend/cli/events.h"

const char *incident_name(enum incident_kind kind)
{
	static const char *const names[INCIDENT_KINDS] = {
		[INCIDENT_PANIC] = "panic",	  [INCIDENT_OOPS] = "oops",
		[INCIDENT_BUG] = "BUG",		  [INCIDENT_KASAN] = "KASAN",
		[INCIDENT_KCSAN] = "KCSAN",	  [INCIDENT_KMSAN] = "KMSAN",
		[INCIDENT_KFENCE] = "KFENCE",	  [INCIDENT_UBSAN] = "UBSAN",
		[INCIDENT_LOCKDEP] = "lockdep",	  [INCIDENT_HUNG_TASK] = "hung task",
		[INCIDENT_LOCKUP] = "lockup",	  [INCIDENT_STALL] = "RCU stall",
		[INCIDENT_OOM] = "out of memory", [INCIDENT_LEAK] = "memory leak",
		[INCIDENT_WARNING] = "WARNING",
	};

	return names[kind];
}

json_t *incident_to_json(const struct incident *incident)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", incident_name(incident->kind), "test",
			 json_text(incident->test), "line", json_text(incident->line), "trace",
			 json_text(incident->trace), "signature", json_text(incident->signature));
}
