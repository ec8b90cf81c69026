#include "frontend/cluster/kubernetes.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "frontend/cluster/yaml.h"

/* What qemu and the rest of a guest need besides the guest's memory, and what a pod needs besides
 * its guests; MiB. */
#define MEMORY_GUEST 256
#define MEMORY_POD 512
#define SCRATCH "/var/tmp" /* where rootlet keeps a guest's disks */
#define INDEX "$(JOB_COMPLETION_INDEX)"

/* Makes room for the results of a pod: a pod that lost its node has left some behind. */
static const char make_room[] = "set -e; mkdir -p \"$1/shards\" \"$1/lost\"; "
				"test ! -e \"$1/shards/$2\" || "
				"mv \"$1/shards/$2\" \"$1/lost/$2-$3\"";
static const char merge[] = "exec rootlet runs merge \"$0\"/shards/* \"$@\"";

struct manifest_text {
	FILE *out;
	const struct kubernetes_run *run;
	char name[64];
	char *results; /* DIRECTORY/NAME */
};

/* --- words ---------------------------------------------------------------------------------- */

static void print_value(const struct manifest_text *m, const char *key, const char *value)
{
	fprintf(m->out, "%s: ", key);
	yaml_print(m->out, value);
	fputc('\n', m->out);
}

/* An argument: TEXT, in which Kubernetes must not expand anything ("$$" stands for "$"), then
 * EXPANDED, in which it does. */
static int print_pod_word(const struct manifest_text *m, const char *text, const char *expanded,
			  struct error **err)
{
	size_t size = strlen(expanded) + 1, length = 0;
	_cleanup_free_ char *whole = malloc(2 * strlen(text) + size);

	if (!whole)
		return error_no_memory(err);
	for (const char *p = text; *p; p++) {
		if (*p == '$')
			whole[length++] = '$';
		whole[length++] = *p;
	}
	memcpy(whole + length, expanded, size);
	fputs("        - ", m->out);
	yaml_print(m->out, whole);
	fputc('\n', m->out);
	return 0;
}

static int print_pod_words(const struct manifest_text *m, char *const *words, struct error **err)
{
	for (; words && *words; words++)
		if (print_pod_word(m, *words, "", err) < 0)
			return -1;
	return 0;
}

/* --- what both jobs have -------------------------------------------------------------------- */

static void print_metadata(const struct manifest_text *m, const char *suffix)
{
	fprintf(m->out,
		"apiVersion: batch/v1\n"
		"kind: Job\n"
		"metadata:\n"
		"  name: \"%s%s\"\n",
		m->name, suffix);
	if (m->run->options.name_space)
		fprintf(m->out, "  namespace: \"%s\"\n", m->run->options.name_space);
	fprintf(m->out,
		"  labels:\n"
		"    app.kubernetes.io/name: rootlet\n"
		"    app.kubernetes.io/instance: \"%s\"\n",
		m->name);
}

static void print_template(const struct manifest_text *m)
{
	fprintf(m->out,
		"  template:\n"
		"    metadata:\n"
		"      labels:\n"
		"        app.kubernetes.io/name: rootlet\n"
		"        app.kubernetes.io/instance: \"%s\"\n"
		"    spec:\n"
		"      restartPolicy: Never\n"
		"      automountServiceAccountToken: false\n"
		"      enableServiceLinks: false\n",
		m->name);
	/* The pod's own root, which is an ordinary user of the node: see print_namespaces(). */
	if (!m->run->host_root)
		fputs("      hostUsers: false\n"
		      "      securityContext:\n"
		      "        runAsUser: 0\n",
		      m->out);
}

static void print_volumes(const struct manifest_text *m)
{
	fputs("      volumes:\n"
	      "      - name: shared\n"
	      "        persistentVolumeClaim:\n"
	      "    ",
	      m->out);
	print_value(m, "      claimName", m->run->options.claim);
	fputs("      - name: scratch\n"
	      "        emptyDir: {}\n",
	      m->out);
}

/* Relative paths of the user's are relative to the shared directory. */
static void print_container(const struct manifest_text *m, const char *name)
{
	fprintf(m->out, "      - name: %s\n", name);
	print_value(m, "        image", m->run->options.image);
	print_value(m, "        workingDir", m->run->directory);
}

static void print_mounts(const struct manifest_text *m)
{
	fputs("        volumeMounts:\n"
	      "        - name: shared\n",
	      m->out);
	print_value(m, "          mountPath", m->run->directory);
	fputs("        - name: scratch\n"
	      "          mountPath: " SCRATCH "\n",
	      m->out);
}

/* An image may have a home that nobody can write to. The state is of no use after the pod. */
static void print_environment(const struct manifest_text *m)
{
	fputs("        env:\n"
	      "        - name: XDG_STATE_HOME\n"
	      "          value: " SCRATCH "/state\n"
	      "        - name: POD_NAME\n"
	      "          valueFrom:\n"
	      "            fieldRef:\n"
	      "              fieldPath: metadata.name\n",
	      m->out);
}

/* --- security ------------------------------------------------------------------------------- */

/* For a container that makes no namespaces. */
static void print_confined(const struct manifest_text *m)
{
	fputs("        securityContext:\n"
	      "          allowPrivilegeEscalation: false\n"
	      "          capabilities:\n"
	      "            drop: [ALL]\n"
	      "          seccompProfile:\n"
	      "            type: RuntimeDefault\n",
	      m->out);
}

/* A rootfs needs rootlet-helper, which makes user namespaces and mounts in them, and sealed guests
 * with a /proc of their own. The usual seccomp and AppArmor profiles of containers forbid the
 * first, their covers over parts of /proc the second. Kubernetes uncovers /proc only for a pod with
 * a user namespace of its own, whose root writes the helper's id maps with three capabilities
 * (user_namespaces(7)). An ordinary user in there would need newuidmap with file capabilities: a
 * setuid one needs CAP_SYS_ADMIN in the pod. */
static void print_namespaces(const struct manifest_text *m)
{
	fputs("        securityContext:\n"
	      "          allowPrivilegeEscalation: false\n"
	      "          capabilities:\n"
	      "            drop: [ALL]\n"
	      "            add: [SETFCAP, SETGID, SETUID]\n"
	      "          procMount: Unmasked\n"
	      "          seccompProfile:\n"
	      "            type: Unconfined\n"
	      "          appArmorProfile:\n"
	      "            type: Unconfined\n",
	      m->out);
}

/* --- the job -------------------------------------------------------------------------------- */

static void print_advice(const struct manifest_text *m)
{
	const char *name_space = m->run->options.name_space;
	char option[80] = "";

	if (name_space)
		snprintf(option, sizeof(option), " -n %s", name_space);
	fprintf(m->out,
		"# rootlet fstests in %u pods, and a suspended job that merges their results. "
		"Start\n"
		"# the pods, wait until all have ended, and start the other job:\n"
		"#\n"
		"#   kubectl%s apply -f FILE\n"
		"#   until kubectl%s get job %s -o jsonpath='{.status.conditions[*].type}' |\n"
		"#           grep -qwE 'Complete|Failed'; do sleep 10; done\n"
		"#   kubectl%s patch job %s-merge -p '{\"spec\": {\"suspend\": false}}'\n"
		"#\n"
		"# A pod fails if its tests do; the exit status of the merging pod is the run's.\n",
		m->run->tasks, option, option, m->name, option, m->name);
}

/* Each part is tried once, because a failed test fails its pod. Pods that a node's drain or death
 * ends are replaced. */
static void print_policy(const struct manifest_text *m)
{
	fprintf(m->out,
		"spec:\n"
		"  completionMode: Indexed\n"
		"  completions: %u\n"
		"  parallelism: %u\n"
		"  backoffLimitPerIndex: 0\n"
		"  podReplacementPolicy: Failed\n"
		"  podFailurePolicy:\n"
		"    rules:\n"
		"    - action: Ignore\n"
		"      onPodConditions:\n"
		"      - type: DisruptionTarget\n"
		"        status: \"True\"\n",
		m->run->tasks, m->run->tasks);
}

/* Disks in memory may grow past any limit that fits the guests. */
static void print_resources(const struct manifest_text *m)
{
	const struct kubernetes_run *r = m->run;
	uint64_t memory = r->guests * (r->memory + MEMORY_GUEST) + MEMORY_POD;

	fprintf(m->out,
		"        resources:\n"
		"          requests:\n"
		"            cpu: %u\n"
		"            memory: %" PRIu64 "Mi\n",
		r->guests * r->cpus, memory);
	if (!r->memory_disks || r->options.kvm)
		fputs("          limits:\n", m->out);
	if (!r->memory_disks)
		fprintf(m->out, "            memory: %" PRIu64 "Mi\n", memory);
	if (r->options.kvm)
		fprintf(m->out, "            \"%s\": 1\n", r->options.kvm);
}

static int print_room(const struct manifest_text *m, struct error **err)
{
	fputs("      initContainers:\n", m->out);
	print_container(m, "make-room");
	fputs("        command: [/bin/sh, -c]\n"
	      "        args:\n",
	      m->out);
	if (print_pod_word(m, make_room, "", err) < 0 || print_pod_word(m, "sh", "", err) < 0 ||
	    print_pod_word(m, m->results, "", err) < 0 || print_pod_word(m, "", INDEX, err) < 0 ||
	    print_pod_word(m, "", "$(POD_NAME)", err) < 0)
		return -1;
	print_environment(m);
	print_confined(m);
	print_mounts(m);
	return 0;
}

static int print_tests(const struct manifest_text *m, struct error **err)
{
	_cleanup_free_ char *results = NULL;
	char shard[32];

	snprintf(shard, sizeof(shard), "--shard=auto/%u", m->run->tasks);
	if (asprintf(&results, "--results=%s/shards/", m->results) < 0)
		return error_no_memory(err);
	fputs("        command: [rootlet]\n"
	      "        args:\n",
	      m->out);
	if (print_pod_word(m, "fstests", "", err) < 0 ||
	    print_pod_words(m, m->run->words, err) < 0 || print_pod_word(m, shard, "", err) < 0 ||
	    print_pod_word(m, results, INDEX, err) < 0)
		return -1;
	if (m->run->tests && *m->run->tests && print_pod_word(m, "--", "", err) < 0)
		return -1;
	return print_pod_words(m, m->run->tests, err);
}

static int print_job(const struct manifest_text *m, struct error **err)
{
	print_metadata(m, "");
	print_policy(m);
	print_template(m);
	/* Long enough to end the guests and write down how far they came. */
	fputs("      terminationGracePeriodSeconds: 60\n", m->out);
	if (print_room(m, err) < 0)
		return -1;
	fputs("      containers:\n", m->out);
	print_container(m, "rootlet");
	if (print_tests(m, err) < 0)
		return -1;
	print_environment(m);
	print_resources(m);
	if (m->run->host_root)
		print_confined(m);
	else
		print_namespaces(m);
	print_mounts(m);
	print_volumes(m);
	return 0;
}

/* --- the merge ------------------------------------------------------------------------------ */

static int print_merge(const struct manifest_text *m, struct error **err)
{
	_cleanup_free_ char *merged = NULL;

	if (asprintf(&merged, "%s/merged", m->results) < 0)
		return error_no_memory(err);
	fputs("---\n", m->out);
	print_metadata(m, "-merge");
	fputs("spec:\n"
	      "  suspend: true\n"
	      "  backoffLimit: 0\n",
	      m->out);
	print_template(m);
	fputs("      containers:\n", m->out);
	print_container(m, "rootlet");
	fputs("        command: [/bin/sh, -c]\n"
	      "        args:\n",
	      m->out);
	if (print_pod_word(m, merge, "", err) < 0 || print_pod_word(m, m->results, "", err) < 0 ||
	    print_pod_word(m, "--results", "", err) < 0 ||
	    print_pod_word(m, m->run->results ? m->run->results : merged, "", err) < 0 ||
	    print_pod_words(m, m->run->merge_words, err) < 0)
		return -1;
	print_environment(m);
	fputs("        resources:\n"
	      "          requests:\n"
	      "            memory: 512Mi\n",
	      m->out);
	print_confined(m);
	print_mounts(m);
	print_volumes(m);
	return 0;
}

/* --- the manifest --------------------------------------------------------------------------- */

static int check_pod_word(const char *word, struct error **err)
{
	if (!word || yaml_can_have(word))
		return 0;
	return error_set(err, ERR_INPUT,
			 "\"%s\" is not UTF-8, and a Kubernetes manifest can have nothing else",
			 word);
}

static int check_words_of_run(const struct kubernetes_run *run, struct error **err)
{
	char *const *const lists[] = { run->words, run->tests, run->merge_words };

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		for (char *const *word = lists[i]; word && *word; word++)
			if (check_pod_word(*word, err) < 0)
				return -1;
	return check_pod_word(run->directory, err) < 0 ? -1 : check_pod_word(run->results, err);
}

/* The name is that of the results, too: two runs should not share one. */
static void choose_name(struct manifest_text *m)
{
	time_t seconds = time(NULL);
	struct tm t;

	if (m->run->options.name)
		snprintf(m->name, sizeof(m->name), "%s", m->run->options.name);
	else
		strftime(m->name, sizeof(m->name), "fstests-%Y%m%d-%H%M%S", gmtime_r(&seconds, &t));
}

int kubernetes_print(FILE *out, const struct kubernetes_run *run, struct error **err)
{
	struct manifest_text m = { .out = out, .run = run };
	_cleanup_free_ char *results = NULL;

	choose_name(&m);
	if (check_words_of_run(run, err) < 0)
		return -1;
	if (asprintf(&results, "%s/%s", run->directory, m.name) < 0)
		return error_no_memory(err);
	m.results = results;
	print_advice(&m);
	return print_job(&m, err) < 0 ? -1 : print_merge(&m, err);
}
