/* The text of the tools' results, besides their structured content. */
#include <string.h>
#include <time.h>

#include "frontend/mcp/tool_text.h"
#include "frontend/cli/text.h"
#include "frontend/mcp/fstests_text.h"

#define SHOWN_ITEMS 8 /* of a list */

/* As in check.c. */
#define PRIMARY_USERS 2

static const char *error_code(const struct call_ending *e)
{
	return tool_result_string(json_object_get(e->result, "error"), "code");
}

/* Prints the size, the release and the users, if known. */
static void tool_text_print_facts(FILE *out, const json_t *rootfs)
{
	const json_t *users = json_object_get(rootfs, "users"), *user;
	json_int_t bytes = json_integer_value(json_object_get(rootfs, "bytes"));
	char size[TEXT_SIZE_LEN];
	size_t i;

	if (bytes > 0)
		fprintf(out, "Size: %s\n", text_size((uint64_t)bytes, size));
	if (*tool_result_string(rootfs, "distribution"))
		fprintf(out, "%s: %s\n", tool_result_string(rootfs, "distribution"),
			tool_result_string(rootfs, "release"));
	json_array_foreach(users, i, user) fprintf(out, "%s%s",
						   i == 0		? "Test users: "
						   : i == PRIMARY_USERS ? "\nOther users: "
									: ", ",
						   json_string_value(user));
	if (json_array_size(users))
		fputc('\n', out);
}

/* Prints any failure, with the command's own message. */
static void print_failure(FILE *out, const struct call_ending *e)
{
	const char *message = tool_result_string(json_object_get(e->result, "error"), "message");

	if (*message)
		fprintf(out, "✗ %s\n", message);
	else if (*e->diagnostics)
		fputs(e->diagnostics, out);
	else
		fprintf(out, "✗ rootlet exited with status %d and no message\n", e->status);
	/* Only a bisect that can go on is named. */
	if (*tool_result_string(e->result, "bisect"))
		fprintf(out, "\nContinue with: fstests_bisect_resume (bisect=%s)\n",
			tool_result_string(e->result, "bisect"));
}

static void print_create(FILE *out, const struct call_ending *e)
{
	const char *path = tool_result_string(e->result, "path");

	if (strcmp(error_code(e), "exists") == 0) {
		fprintf(out,
			"✗ Rootfs already exists at %s\n\nUse force=true to recreate, or delete it "
			"first with delete_test_rootfs\n\n",
			path);
		print_failure(out, e);
		return;
	}
	fprintf(out, "✓ Successfully created rootfs at %s\n\nPath: %s\n", path, path);
	tool_text_print_facts(out, e->result);
	fputs("\nYou can now use use_custom_rootfs=true in fstests_vm_boot_and_run\n", out);
}

static void print_check(FILE *out, const struct call_ending *e)
{
	const char *state = tool_result_string(e->result, "state"),
		   *path = tool_result_string(e->result, "path");
	const json_t *reason;
	size_t i;

	if (strcmp(state, "missing") == 0) {
		fprintf(out,
			"✗ Rootfs does not exist at %s\n\nCreate it with: create_test_rootfs\n",
			path);
		return;
	}
	if (strcmp(state, "ready") == 0) {
		fprintf(out, "✓ Rootfs is configured and ready at %s\n\n", path);
		tool_text_print_facts(out, e->result);
		return;
	}
	fprintf(out, "⚠ Rootfs exists but is not properly configured at %s\n\n", path);
	json_array_foreach(json_object_get(e->result, "reasons"), i, reason)
		fprintf(out, "  - %s\n", json_string_value(reason));
	if (strcmp(state, "not-ready") == 0)
		fputs("\nRecreate it with: create_test_rootfs (force=true)\n", out);
}

static void print_delete(FILE *out, const struct call_ending *e)
{
	if (strcmp(error_code(e), "missing") == 0)
		fprintf(out, "Rootfs does not exist at %s\n",
			tool_result_string(e->result, "path"));
	else
		fprintf(out, "✓ Successfully deleted rootfs at %s\n",
			tool_result_string(e->result, "path"));
}

static void tool_text_print_list(FILE *out, const struct call_ending *e)
{
	const json_t *rootfs;
	char age[TEXT_DURATION_LEN];
	size_t i;

	if (!json_array_size(e->result))
		fputs("There is no rootfs yet. Create one with: create_test_rootfs\n", out);
	json_array_foreach(e->result, i, rootfs)
	{
		json_int_t created = json_integer_value(json_object_get(rootfs, "created"));

		fprintf(out, "%s%s\nPath: %s\n", i ? "\n" : "", tool_result_string(rootfs, "name"),
			tool_result_string(rootfs, "path"));
		if (!created) {
			fputs("Broken: see check_test_rootfs\n", out);
			continue;
		}
		tool_text_print_facts(out, rootfs);
		fprintf(out, "Age: %s\n", text_age(time(NULL) - created, age));
	}
}

static void tool_text_print_run(FILE *out, const struct call_ending *e)
{
	json_int_t seconds = json_integer_value(json_object_get(e->result, "seconds"));

	if (strcmp(tool_result_string(e->result, "status"), "timeout") == 0)
		fprintf(out, "✗ The VM was stopped after %lld s: timeout\n\n", (long long)seconds);
	else
		fprintf(out, "%s The command exited with status %d (%lld s, %s)\n\n",
			e->status == 0 ? "✓" : "✗", e->status, (long long)seconds,
			json_is_true(json_object_get(e->result, "kvm")) ? "KVM" : "emulated");
	fputs(e->output, out);
	if (*tool_result_string(e->result, "console"))
		fprintf(out, "\nThe console's last lines:\n%s\n",
			tool_result_string(e->result, "console"));
}

static void print_doctor(FILE *out, const struct call_ending *e)
{
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(e->result, "checks"), i, check)
	{
		fprintf(out, "%-8s %s: %s\n", tool_result_string(check, "verdict"),
			tool_result_string(check, "what"), tool_result_string(check, "detail"));
		if (*tool_result_string(check, "fix"))
			fprintf(out, "         fix: %s\n", tool_result_string(check, "fix"));
	}
}

/* What booting a VM needs. */
static void print_virtme(FILE *out, const struct call_ending *e)
{
	static const char *const wanted[] = { "vng", "qemu", "KVM" };
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(e->result, "checks"), i, check)
	{
		const char *verdict = tool_result_string(check, "verdict");

		for (size_t k = 0; k < sizeof(wanted) / sizeof(*wanted); k++) {
			if (strcmp(tool_result_string(check, "what"), wanted[k]) != 0)
				continue;
			fprintf(out, "%s %s: %s\n",
				strcmp(verdict, "ok") == 0	  ? "✓"
				: strcmp(verdict, "warning") == 0 ? "⚠"
								  : "✗",
				wanted[k], tool_result_string(check, "detail"));
			if (*tool_result_string(check, "fix"))
				fprintf(out, "  fix: %s\n", tool_result_string(check, "fix"));
		}
	}
}

/* "Installed (12): acl 2.3, attr 2.5 and 10 more" */
static void tool_text_print_packages(FILE *out, const char *title, const json_t *list)
{
	const json_t *package;
	size_t i, count = json_array_size(list);

	if (count)
		fprintf(out, "%s (%zu):", title, count);
	json_array_foreach(list, i, package)
	{
		if (i == SHOWN_ITEMS)
			break;
		fprintf(out, "%s %s %s", i ? "," : "", tool_result_string(package, "name"),
			tool_result_string(package, "version"));
	}
	if (count > SHOWN_ITEMS)
		fprintf(out, " and %zu more", count - SHOWN_ITEMS);
	if (count)
		fputc('\n', out);
}

static void print_change(FILE *out, const struct call_ending *e)
{
	const json_t *installed = json_object_get(e->result, "installed"),
		     *upgraded = json_object_get(e->result, "upgraded"),
		     *removed = json_object_get(e->result, "removed");
	bool changed = json_is_true(json_object_get(e->result, "changed"));
	const json_t *published = json_object_get(e->result, "published");
	json_int_t from = tool_result_number(published, "from"),
		   to = tool_result_number(published, "generation");
	bool any = json_array_size(installed) || json_array_size(upgraded) ||
		   json_array_size(removed) || from != to;

	fprintf(out, "✓ %s %s\n",
		changed ? "Changed the rootfs at"
		: any	? "This would change the rootfs at"
			: "There is nothing to do in the rootfs at",
		tool_result_string(e->result, "path"));
	if (json_object_get(e->result, "generation"))
		fprintf(out, "Generation: %" JSON_INTEGER_FORMAT "\n",
			tool_result_number(e->result, "generation"));
	if (to)
		fprintf(out,
			"Published as %s: generation %" JSON_INTEGER_FORMAT
			"; the rootfs had %" JSON_INTEGER_FORMAT "\n",
			tool_result_string(published, "name"), to, from);
	tool_text_print_packages(out, "Install", installed);
	tool_text_print_packages(out, "Upgrade", upgraded);
	tool_text_print_packages(out, "Remove", removed);
}

static void print_dependencies(FILE *out, const struct call_ending *e)
{
	const json_t *one, *packages = json_object_get(e->result, "packages");
	size_t i, missing = 0;

	json_array_foreach(json_object_get(e->result, "dependencies"), i, one)
	{
		if (strcmp(tool_result_string(one, "state"), "missing") != 0)
			continue;
		if (missing++ < SHOWN_ITEMS)
			fprintf(out, "Missing: %s %s, for %" JSON_INTEGER_FORMAT " tests%s%s\n",
				tool_result_string(one, "kind"), tool_result_string(one, "name"),
				json_integer_value(json_object_get(one, "tests")),
				*tool_result_string(one, "package") ? "; package " : "",
				tool_result_string(one, "package"));
	}
	if (missing > SHOWN_ITEMS)
		fprintf(out, "... and %zu more\n", missing - SHOWN_ITEMS);
	if (!missing)
		fprintf(out, "✓ The rootfs at %s has what the tests ask for\n",
			tool_result_string(e->result, "path"));
	if (json_array_size(packages))
		fputs("Install with install_packages:", out);
	json_array_foreach(packages, i, one) if (i < SHOWN_ITEMS)
		fprintf(out, " %s", json_string_value(one));
	if (json_array_size(packages))
		fputs(json_array_size(packages) > SHOWN_ITEMS ? " ...\n" : "\n", out);
}

static void print_lock(FILE *out, const struct call_ending *e)
{
	fprintf(out, "✓ Wrote %s with %" JSON_INTEGER_FORMAT " packages of the rootfs at %s\n",
		tool_result_string(e->result, "output"),
		json_integer_value(json_object_get(e->result, "packages")),
		tool_result_string(e->result, "path"));
}

static void print_publish(FILE *out, const struct call_ending *e)
{
	fprintf(out, "✓ Published %s as generation %" JSON_INTEGER_FORMAT " of %s in %s\n",
		tool_result_string(e->result, "path"), tool_result_number(e->result, "generation"),
		tool_result_string(e->result, "name"), tool_result_string(e->result, "directory"));
	if (tool_result_number(e->result, "removed_generations"))
		fprintf(out, "Removed %" JSON_INTEGER_FORMAT " older generations\n",
			tool_result_number(e->result, "removed_generations"));
}

static void print_verify(FILE *out, const struct call_ending *e)
{
	bool verified = strcmp(tool_result_string(e->result, "state"), "verified") == 0;
	const json_t *reasons = json_object_get(e->result, "reasons"), *reason;
	size_t i;

	fprintf(out, "%s The rootfs at %s is %swhat was signed by %s\n", verified ? "✓" : "✗",
		tool_result_string(e->result, "path"), verified ? "" : "not ",
		tool_result_string(e->result, "key"));
	json_array_foreach(reasons, i, reason) if (i < SHOWN_ITEMS)
		fprintf(out, "  - %s\n", json_string_value(reason));
	if (tool_result_number(e->result, "differences") > SHOWN_ITEMS)
		fprintf(out, "  - and %" JSON_INTEGER_FORMAT " more\n",
			tool_result_number(e->result, "differences") - SHOWN_ITEMS);
}

static const struct {
	const char *tool;
	void (*print)(FILE *out, const struct call_ending *e);
	const char *error; /* code of an error that PRINT handles */
} texts[] = {
	{ "create_test_rootfs", print_create, "exists" },
	{ "check_test_rootfs", print_check },
	{ "delete_test_rootfs", print_delete, "missing" },
	{ "list_test_rootfs", tool_text_print_list },
	{ "fstests_vm_boot_and_run", fstests_text_run },
	{ "fstests_results", fstests_text_run },
	{ "run_in_vm", tool_text_print_run },
	{ "install_packages", print_change },
	{ "uninstall_packages", print_change },
	{ "upgrade_test_rootfs", print_change },
	{ "fstests_dependencies", print_dependencies },
	{ "lock_test_rootfs", print_lock },
	{ "publish_test_rootfs", print_publish },
	{ "fetch_test_rootfs", print_create, "exists" },
	{ "verify_test_rootfs", print_verify },
	{ "doctor", print_doctor },
	{ "check_virtme_ng", print_virtme },
	{ "fstests_groups_list", fstests_text_groups },
	{ "fstests_baseline_save", fstests_text_saved },
	{ "fstests_baseline_get", fstests_text_run },
	{ "fstests_baseline_list", fstests_text_baselines },
	{ "fstests_baseline_compare", fstests_text_comparison },
	{ "fstests_flaky", fstests_text_flaky },
	{ "fstests_report", fstests_text_report },
	{ "fstests_bisect", fstests_text_bisect },
	{ "fstests_bisect_resume", fstests_text_bisect },
};

char *tool_text(const struct call_ending *e)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		bool fine = e->result &&
			    (!*error_code(e) ||
			     (texts[i].error && strcmp(error_code(e), texts[i].error) == 0));

		if (strcmp(e->tool, texts[i].tool) == 0)
			(fine ? texts[i].print : print_failure)(out, e);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
