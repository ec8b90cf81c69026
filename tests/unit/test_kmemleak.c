/* frontend/fstests/kmemleak.c: the objects that a test leaked, equal ones counted once. */
#include "frontend/fstests/kmemleak.h"

#include "tap.h"

#define OBJECT(address, function)                                                                  \
	"unreferenced object " address " (size 64):\n"                                             \
	"  comm \"mount\", pid 812, jiffies 4294937906 (age 20.570s)\n"                            \
	"  hex dump (first 32 bytes):\n"                                                           \
	"    78 2b 30 78 31 2f 30 78 32 20 00 00 00 00 00 00  x+0x1/0x2 ......\n"                  \
	"  backtrace:\n"                                                                           \
	"    [<00000000e389b77e>] kmem_cache_alloc_trace+0x119/0x290\n"                            \
	"    [<000000005e7b553f>] " function "+0x4f/0xd0 [toy]\n"

static const char text[] =
	"EXPERIMENTAL kmemleak reported some memory leaks!  Due to the way kmemleak\n"
	"works, the leak might be from an earlier test, or something totally unrelated.\n" OBJECT(
		"0xffff888103a2c0a8", "toy_mount") OBJECT("0xffff888103a2d000", "toy_read")
		OBJECT("0xffff888103a2e000", "toy_mount")
	/* Since 6.10, without brackets, and with a checksum. */
	"unreferenced object 0xffff888103a2f000 (size 8):\n"
	"  comm \"m\033[2J\", pid 9, jiffies 1\n"
	"  backtrace (crc d2d6a1d8):\n"
	"    __kmalloc_noprof+0x1d/0x30\n"
	"    toy_write+0x1/0x2\n";

static const char *text_of(const json_t *reports, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(reports, i), key));
}

static json_int_t count_of(const json_t *reports, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(reports, i), "count"));
}

int main(void)
{
	json_t *reports = kmemleak_reports(text, "generic/001");
	const char *trace = text_of(reports, 0, "trace");

	tap_check(kmemleak_count(text) == 4, "all objects count");
	tap_check(json_array_size(reports) == 3 && count_of(reports, 0) == 2 &&
			  count_of(reports, 1) == 1 && count_of(reports, 2) == 1,
		  "objects that the same functions allocated are one report");
	tap_check(tap_same(text_of(reports, 0, "kind"), "memory leak") &&
			  tap_same(text_of(reports, 0, "test"), "generic/001") &&
			  tap_same(text_of(reports, 0, "line"),
				   "unreferenced object 0xffff888103a2c0a8 (size 64)"),
		  "a report has the test and the first object's line");
	tap_check(tap_same(text_of(reports, 0, "signature"),
			   "memory leak: kmem_cache_alloc_trace toy_mount"),
		  "the signature has the functions, and nothing of the dump: %s",
		  text_of(reports, 0, "signature"));
	tap_check(tap_same(text_of(reports, 2, "signature"),
			   "memory leak: __kmalloc_noprof toy_write"),
		  "so it does in the newer format: %s", text_of(reports, 2, "signature"));
	tap_check(trace && strncmp(trace, "unreferenced object 0xffff888103a2c0a8", 38) == 0 &&
			  strstr(trace, "toy_mount") && !strstr(trace, "0xffff888103a2d000"),
		  "the trace is of one object");
	trace = text_of(reports, 2, "trace");
	tap_check(trace && strstr(trace, "\"m?[2J\"") && !strchr(trace, '\033'),
		  "it has no control characters");
	json_decref(reports);
	reports = kmemleak_reports("unreferenced object ", "x");
	tap_check(json_array_size(reports) == 1, "a truncated file has what it has");
	json_decref(reports);
	reports = kmemleak_reports("", "x");
	tap_check(json_array_size(reports) == 0 && kmemleak_count("") == 0, "an empty one nothing");
	json_decref(reports);
	return tap_done();
}
