/* frontend/mcp/schema.c, and how frontend/mcp/tools.c maps a call to a command line. */
#include "frontend/mcp/schema.h"

#include "frontend/mcp/tools.h"
#include "tap.h"

/* NULL: accepted; otherwise part of the message. */
static const struct {
	const char *schema, *value, *says;
} rows[] = {
	{ "{\"type\":\"string\"}", "\"x\"", NULL },
	{ "{\"type\":\"string\"}", "1", "v: must be of type string, not integer" },
	{ "{\"type\":\"integer\"}", "1.0", "must be of type integer, not number" },
	{ "{\"type\":\"boolean\"}", "false", NULL },
	{ "{\"type\":\"boolean\"}", "null", "must be of type boolean, not null" },
	{ "{\"type\":\"integer\",\"minimum\":3}", "3", NULL },
	{ "{\"type\":\"integer\",\"minimum\":3}", "2", "v 2: at least 3" },
	{ "{\"type\":\"integer\",\"maximum\":3}", "4", "v 4: at most 3" },
	{ "{\"type\":\"integer\",\"minimum\":3}", "99999999999999999999", NULL },
	{ "{\"enum\":[\"a\",\"b\"]}", "\"b\"", NULL },
	{ "{\"enum\":[\"a\",\"b\"]}", "\"c\"", "v: must be one of [\"a\", \"b\"]" },
	{ "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", "[\"a\"]", NULL },
	{ "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", "[\"a\",2]", "v[1]: must be of" },
	{ "{\"type\":\"array\",\"minItems\":1}", "[]", "v: length 0: at least 1" },
	{ "{\"type\":\"string\",\"minLength\":1}", "\"\"", "v: length 0: at least 1" },
	{ "{\"type\":\"object\",\"required\":[\"a\"]}", "{}", "v: a is missing" },
	{ "{\"type\":\"object\",\"additionalProperties\":false}", "{\"a\":1}",
	  "v: unknown property a" },
	{ "{\"type\":\"object\"}", "{\"a\":1}", NULL },
	{ "{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":1}",
	  "a: must be of type string" },
};

static void check_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_error_ struct error *err = NULL;
		json_t *schema = json_loads(rows[i].schema, 0, NULL);
		json_t *value = json_loads(rows[i].value, JSON_DECODE_ANY, NULL);
		int result = value ? schema_check(schema, value, "v", &err) : 0;

		tap_check(rows[i].says ? result == -1 && err && err->code == ERR_INPUT &&
						 strstr(err->message, rows[i].says)
				       : result == 0,
			  "%s against %s", rows[i].value, rows[i].schema);
		if (err)
			printf("# %s\n", err->message);
		json_decref(schema);
		json_decref(value);
	}
}

/* The arguments of a call and the resulting command line. */
static const struct {
	const char *tool, *arguments, *words;
} calls[] = {
	{ "check_test_rootfs", "{}", "rootlet check --json" },
	{ "check_test_rootfs", "{\"rootfs_path\":\"-x y\"}", "rootlet check --json --path=-x y" },
	{ "check_test_rootfs", "{\"rootfs_path\":\"~/a\"}",
	  "rootlet check --json --path=/home/t/a" },
	{ "create_test_rootfs", "{}", "rootlet create --json --release=jammy --profile=fstests" },
	{ "create_test_rootfs", "{\"force\":true,\"ubuntu_release\":\"noble\"}",
	  "rootlet create --json --release=noble --force --profile=fstests" },
	{ "delete_test_rootfs", "{}", "rootlet delete --yes --json" },
	{ "fstests_results", "{\"run\":\"--help\"}", "rootlet runs show --json -- --help" },
	{ "run_in_vm",
	  "{\"kernel_path\":\"distro\",\"command\":[\"sh\",\"-c\",\"~/"
	  "x\"],\"disks\":[\"1G\",\"2G\"]}",
	  "rootlet run --json --kernel=distro --memory=2G --timeout=300 --disk=1G --disk=2G -- sh "
	  "-c "
	  "~/x" },
	{ "fstests_vm_boot_and_run", "{\"kernel_path\":\"k\",\"fstests_path\":\"f\"}",
	  "rootlet fstests --json --kernel=k --fstests=f --fstype=ext4 --timeout=300 --memory=4G "
	  "--cpus=4 --no-force-9p --io-scheduler=mq-deadline --jobs=1 --host-root -- -g quick" },
	{ "fstests_vm_boot_and_run",
	  "{\"kernel_path\":\"k\",\"fstests_path\":\"f\",\"use_custom_rootfs\":true,\"force_9p\":"
	  "true,"
	  "\"custom_rootfs_path\":\"/r\",\"tests\":[\"generic/"
	  "001\"],\"extra_args\":[\"--verbose\"],"
	  "\"custom_mkfs_command\":\"mkfs.x -q\",\"io_scheduler\":\"none\"}",
	  "rootlet fstests --json --kernel=k --fstests=f --fstype=ext4 --timeout=300 --memory=4G "
	  "--cpus=4 --force-9p --io-scheduler=none --jobs=1 --vng-arg=--verbose --mkfs=mkfs.x -q "
	  "--path=/r "
	  "-- "
	  "generic/001" },
};

static void join(char *const *words, char *out, size_t room)
{
	size_t used = 0;

	*out = '\0';
	for (; words && *words && used < room; words++)
		used += (size_t)snprintf(out + used, room - used, "%s%s", used ? " " : "", *words);
}

static void check_calls(void)
{
	json_t *tools = tools_load();

	setenv("HOME", "/home/t", 1);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		json_t *arguments = json_loads(calls[i].arguments, 0, NULL);
		const json_t *tool = tool_find(tools, calls[i].tool);
		char **words = NULL, line[1024];
		bool good = tool && tool_check(tool, arguments, NULL) == 0 &&
			    tool_words(tool, arguments, &words, NULL) == 0;

		join(words, line, sizeof(line));
		tap_check(good && tap_same(line, calls[i].words), "%s %s", calls[i].tool,
			  calls[i].arguments);
		if (!tap_same(line, calls[i].words))
			printf("# %s\n# %s\n", line, calls[i].words);
		tool_words_free(&words);
		json_decref(arguments);
	}
	json_decref(tools);
}

int main(void)
{
	check_rows();
	check_calls();
	return tap_done();
}
