/* Guest console output that claims to be from a kernel. */
#include "frontend/fstests/kernel_log.h"
#include "frontend/fstests/trace_signature.h"

#include "fuzz.h"

static void take(const struct incident *incident, void *context)
{
	size_t *count = context;

	if (incident->kind >= INCIDENT_KINDS || !incident_name(incident->kind) ||
	    strlen(incident->trace) >= INCIDENT_TRACE_MAX)
		abort();
	for (const char *p = incident->trace; *p; p++)
		if (*p != '\n' && ((unsigned char)*p < ' ' || *p == 0x7f))
			abort();
	/* The reported line is the first of the trace. */
	if (strncmp(incident->trace, incident->line, strlen(incident->line)) != 0)
		abort();
	if (strncmp(incident->signature, incident_name(incident->kind),
		    strlen(incident_name(incident->kind))) != 0 ||
	    strlen(incident->signature) >= SIGNATURE_SIZE || strchr(incident->signature, '\n'))
		abort();
	++*count;
}

static size_t feed(const uint8_t *data, size_t size, size_t step)
{
	size_t count = 0;
	struct kernel_log *log = kernel_log_new(take, &count);

	for (size_t at = 0; at < size; at += step)
		kernel_log_feed(log, (const char *)data + at, size - at < step ? size - at : step);
	kernel_log_end(log);
	kernel_log_free(&log);
	return count;
}

/* The result does not depend on how the input is split. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (feed(data, size, size + 1) != feed(data, size, 1))
		abort();
	return 0;
}
