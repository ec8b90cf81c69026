/* A problem that the kernel reported on its console. */
#pragma once

#include <jansson.h>

enum incident_kind {
	INCIDENT_PANIC,
	INCIDENT_OOPS,
	INCIDENT_BUG,
	INCIDENT_KASAN,
	INCIDENT_KCSAN,
	INCIDENT_KMSAN,
	INCIDENT_KFENCE,
	INCIDENT_UBSAN,
	INCIDENT_LOCKDEP,
	INCIDENT_HUNG_TASK,
	INCIDENT_LOCKUP, /* soft or hard */
	INCIDENT_STALL,	 /* RCU */
	INCIDENT_OOM,
	INCIDENT_LEAK, /* kmemleak */
	INCIDENT_WARNING,
	INCIDENT_KINDS,
};

struct incident {
	enum incident_kind kind;
	const char *test;      /* "" if none was running */
	const char *line;      /* the line that reports it, without its timestamp */
	const char *trace;     /* this line and those after it, at most INCIDENT_TRACE_MAX bytes */
	const char *signature; /* the same for equal reports: trace_signature.h */
};

#define INCIDENT_TRACE_MAX 16384

const char *incident_name(enum incident_kind kind); /* "panic", "hung task", … */

/* A line of kernel.jsonl: a new reference. */
json_t *incident_to_json(const struct incident *incident);
