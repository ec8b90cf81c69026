// Exercises `rootlet mcp` with the official client. tests/integration/sdk.py starts it with one argument, a
// JSON object: the program, the arguments of create_test_rootfs (and extra ones, because the same again would
// only be a clone), the rootfs to boot, and an fstests tree. Prints one JSON object per line: a case and its
// details, or a mark for the observing program.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const { rootlet, create, other, bootRootfs, fstests, kernelTimeout, append } = JSON.parse(process.argv[2]);
const HOUR = 3600 * 1000;

function say(object) {
  process.stdout.write(JSON.stringify(object) + "\n");
}

function report(good, what, ...seen) {
  say({ good: Boolean(good), what, seen });
}

const transport = new StdioClientTransport({ command: rootlet, args: ["mcp"], env: process.env });
const client = new Client({ name: "rootlet-test", version: "1" });
const logged = [];
client.setNotificationHandler(LoggingMessageNotificationSchema, (message) => {
  logged.push(message.params);
});

function call(name, args = {}, options = {}) {
  return client.callTool({ name, arguments: args }, undefined, { timeout: HOUR, ...options });
}

function text(result) {
  return result.content.map((part) => part.text).join("");
}

// A case whose failure does not stop the others.
async function attempt(what, action) {
  try {
    await action();
  } catch (error) {
    report(false, what, String(error));
  }
}

// The observing program inspects the processes, then answers.
async function mark(name) {
  say({ mark: name });
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.pause();
}

async function until(condition, seconds) {
  for (let i = 0; i < seconds * 20 && !condition(); i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return condition();
}

// Resolves to the error with which PROMISE is rejected, or to null.
function rejection(promise) {
  return promise.then(() => null, (error) => error);
}

await client.connect(transport);
report(client.getServerVersion().name === "rootlet", "the client connects", client.getServerVersion());
report(client.getServerCapabilities().tools && client.getServerCapabilities().logging,
       "it has tools and logging", client.getServerCapabilities());
await attempt("ping", async () => report(await client.ping(), "ping"));
await attempt("setLoggingLevel", async () =>
  report(await client.setLoggingLevel("debug"), "logging/setLevel"));
await attempt("listTools", async () => {
  const { tools } = await client.listTools();
  report(tools.length === 27 && tools.every((tool) => tool.outputSchema && tool.annotations),
         "tools/list: every tool has an output schema and annotations", tools.map((tool) => tool.name));
  say({ tools: tools.map((tool) => tool.name) });
});

// From here on, the client validates every result against its output schema.
await attempt("check of a missing rootfs", async () => {
  const result = await call("check_test_rootfs");
  report(!result.isError && text(result).startsWith("✗ Rootfs does not exist at ") &&
         result.structuredContent.state === "missing", "check_test_rootfs of nothing", result);
});
await attempt("create", async () => {
  const progress = [];
  let done = false;
  const created = call("create_test_rootfs", create, { onprogress: (p) => progress.push(p) })
    .finally(() => { done = true; });
  await until(() => progress.length > 0, 120);
  const meanwhile = await call("list_test_rootfs");
  report(!done && meanwhile.structuredContent.rootfs.length === 0,
         "list_test_rootfs answers while create_test_rootfs runs", meanwhile);
  const result = await created;
  report(!result.isError && text(result).startsWith("✓ Successfully created rootfs at ") &&
         result.structuredContent.exit_status === 0, "create_test_rootfs", result);
  report(progress.length > 3 && progress.every((p, i) => i === 0 || p.progress > progress[i - 1].progress),
         "create_test_rootfs: progress", progress.slice(-3));
});
await attempt("a second create", async () => {
  const result = await call("create_test_rootfs", create);
  report(result.isError && text(result).includes("Use force=true to recreate") &&
         result.structuredContent.error.code === "exists", "create_test_rootfs again", result);
});
await attempt("check", async () => {
  const result = await call("check_test_rootfs");
  report(!result.isError && text(result).startsWith("✓ Rootfs is configured and ready at ") &&
         result.structuredContent.state === "ready", "check_test_rootfs", result);
});
await attempt("list", async () => {
  const result = await call("list_test_rootfs");
  report(result.structuredContent.rootfs[0].name === "test-rootfs", "list_test_rootfs", result);
});
await attempt("cancelling a create", async () => {
  const controller = new AbortController();
  const progress = [];
  const running = rejection(call("create_test_rootfs", { ...other, force: true },
                                 { signal: controller.signal, onprogress: (p) => progress.push(p) }));
  const reached = await until(() => progress.some((p) => p.message.startsWith("Configuring")), 300);
  await mark("create");
  controller.abort("the test has seen enough");
  report(reached && await running, "cancelling create_test_rootfs while scripts run", progress.slice(-1));
  const result = await call("check_test_rootfs");
  report(result.structuredContent.state === "ready",
    "cancelling create_test_rootfs keeps the old rootfs", result);
});
await attempt("delete", async () => {
  const result = await call("delete_test_rootfs");
  report(!result.isError && text(result).startsWith("✓ Successfully deleted rootfs at "),
         "delete_test_rootfs", result);
});
await attempt("delete of a missing rootfs", async () => {
  const result = await call("delete_test_rootfs");
  report(result.isError && text(result).startsWith("Rootfs does not exist at "),
         "delete_test_rootfs of nothing", result);
});
await attempt("doctor", async () => {
  const result = await call("doctor");
  report(!result.isError && result.structuredContent.checks.length > 10, "doctor", text(result));
});
await attempt("run_in_vm", async () => {
  const progress = [];
  const result = await call("run_in_vm", {
    kernel_path: "distro", rootfs_path: bootRootfs, cpus: 1, append, timeout: kernelTimeout, disks: ["64M"],
    command: ["sh", "-c", "uname -s; id -un; cat /sys/block/vda/size; echo to-error >&2; exit 7"],
  }, { onprogress: (p) => progress.push(p) });
  report(!result.isError && result.structuredContent.status === "exited" &&
         result.structuredContent.exit_status === 7 &&
         /Linux\s+root\s+(to-error\s+)?131072/.test(result.structuredContent.output) &&
         text(result).includes("to-error"), "run_in_vm: output and exit status of a booted guest", result);
  report(logged.some((entry) => entry.level === "debug" && entry.data.includes("Linux")),
         "run_in_vm: the output comes while it runs", logged.slice(-3));
});
await attempt("cancelling a VM", async () => {
  const controller = new AbortController();
  const running = rejection(call("run_in_vm", {
    kernel_path: "distro", rootfs_path: bootRootfs, cpus: 1, append, timeout: kernelTimeout,
    command: ["sh", "-c", "echo is-up; sleep 1000"] }, { signal: controller.signal }));
  const up = await until(() => logged.some((entry) => String(entry.data).includes("is-up")), 600);
  await mark("run");
  controller.abort("the test has seen enough");
  report(up && await running, "cancelling run_in_vm", logged.slice(-3));
  report(await client.ping(), "the server continues after cancelling run_in_vm");
});
await attempt("fstests that pass", async () => {
  const progress = [];
  const result = await call("fstests_vm_boot_and_run", {
    kernel_path: "distro", fstests_path: fstests, tests: ["generic/001", "mini/106"],
    timeout: kernelTimeout, memory: "1G", cpus: 1, use_custom_rootfs: true, custom_rootfs_path: bootRootfs,
  }, { onprogress: (p) => progress.push(p) });
  report(!result.isError && result.structuredContent.status === "passed" &&
         result.structuredContent.counts.pass === 2 && /✓ Run \S+: passed\n/.test(text(result)),
         "fstests_vm_boot_and_run: two tests pass", result);
  report(progress.some((p) => p.message === "mini/106: pass"), "fstests_vm_boot_and_run: reports each test",
         progress.slice(-3));
  const again = await call("fstests_results");
  report(!again.isError && again.structuredContent.run === result.structuredContent.run &&
         again.structuredContent.counts.pass === 2 && text(again).includes(": passed\n"),
         "fstests_results of the last run", again);
  const flaky = await call("fstests_flaky");
  report(!flaky.isError && flaky.structuredContent.runs === 1 &&
         text(flaky) === "0 tests failed in 1 run\n", "fstests_flaky over that run", flaky);
  const path = `${process.env.HOME}/report.html`;
  const written = await call("fstests_report", { html_path: path });
  report(!written.isError && text(written) === `✓ Wrote ${path}\n`, "fstests_report of that run", written);
});
await attempt("bisect", async () => {
  const result = await call("fstests_bisect", { tree_path: "/no/such", good: "a", bad: "b",
                                                fstests_arguments: ["generic/001"] });
  report(result.isError && result.structuredContent.exit_status === 2, "fstests_bisect of nothing", result);
  const none = await call("fstests_bisect_resume");
  report(none.isError && text(none).includes("no bisects yet"), "fstests_bisect_resume of nothing", none);
});
await attempt("fstests", async () => {
  const result = await call("fstests_vm_boot_and_run",
                            { kernel_path: "/no/such/kernel", fstests_path: "/no/such/fstests" });
  report(result.isError && text(result), "fstests_vm_boot_and_run without a kernel", result);
});
await attempt("fstests_results", async () => {
  const result = await call("fstests_results", { run: "no-such-run" });
  report(result.isError && text(result), "fstests_results of an unknown run", result);
});
await attempt("wrong arguments", async () => {
  const result = await call("run_in_vm", { kernel_path: "distro", command: "ls" });
  report(result.isError && text(result).includes("must be of type array"),
    "arguments of the wrong type", result);
});
await attempt("an unknown tool", async () => {
  const error = await rejection(call("no_such_tool"));
  report(error && error.code === -32602, "an unknown tool", String(error));
});
const pid = transport.pid;
await client.close();
await attempt("close", async () => {
  const ended = await until(() => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  }, 30);
  report(ended, "the server exits when the client closes");
});
