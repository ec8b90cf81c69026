/* The sections of the page, but for the table of all tests. */

/* --- the head ------------------------------------------------------------------------------- */

function showHead(counts) {
	const bad = sumOf(counts, status => status.bad), tests = sumOf(counts, ran);
	const skipped = sumOf(counts, status => !ran(status));
	const run = runs[newest];
	let regressions = 0;
	for (const column of columns)
		if (column.run === newest && before(column))
			for (let test = 0; test < data.tests.length; test++)
				if (statusAt(column, test)?.bad && statusAt(before(column), test)?.name === "pass")
					regressions++;
	id("verdict").textContent = tests === 0 ? "No test ran"
		: bad ? `${number(bad)} of ${plural(tests, "test", "tests")} failed`
		: tests === 1 ? "The test passed" : `All ${number(tests)} tests passed`;
	document.title = `${id("verdict").textContent} – ${run.id}`;
	const facts = [run.kernel_version && `Linux ${run.kernel_version}`, configurations.join(", "),
		day(run, { dateStyle: "long", timeStyle: "short" }), run.seconds && duration(run.seconds),
		skipped && `${number(skipped)} more did not run`,
		runs.length > 1 && `the newest of ${number(runs.length)} runs`];
	id("facts").textContent = facts.filter(Boolean).join(" · ");
	const notes = [];
	if (regressions)
		notes.push(`${number(regressions)} of these passed in the run before.`);
	for (const one of runs) {
		if (one.state === "running")
			notes.push(`${one.id} is still in progress: these are its results so far.`);
		if (one.state === "cut off" || one.state === "interrupted" || one.state === "error")
			notes.push(`${one.id} ended early (${one.state}): tests are missing.`);
		if (one.unread)
			notes.push(`${plural(one.unread, "line", "lines")} of ${one.id} could not be read: ` +
				"damaged, or written by a newer rootlet.");
	}
	if (data.left_out)
		notes.push(`${plural(data.left_out, "text is", "texts are")} left out to keep this file small; ` +
			"the runs have them.");
	id("notes").append(...notes.map(note => make("li", {}, note)));
}

/* --- failures ------------------------------------------------------------------------------- */

const tagOf = configuration =>
	configurations.length > 1 ? make("span", { class: "tag" }, configuration) : null;

function strip(inColumns, test) {
	const words = inColumns.map(column => statusAt(column, test)?.word || "no result");
	return make("span", { class: "strip", role: "img", "aria-label": `oldest to newest: ${words.join(", ")}` },
		...inColumns.map(column => {
			const status = statusAt(column, test);
			return make("i", { class: status?.style, title: runs[column.run].id }, status?.letter || " ");
		}));
}

/* [test, columns of one configuration], the gravest in the newest run first. */
function failures() {
	const found = [];
	for (const configuration of configurations) {
		const own = columns.filter(column => column.configuration === configuration);
		for (let test = 0; test < data.tests.length; test++) {
			const all = own.map(column => statusAt(column, test));
			if (!all.some(status => status?.bad))
				continue;
			const last = all[all.length - 1];
			found.push({ test, own, configuration, now: last?.bad ? gravity(last) : 0,
				bad: all.filter(status => status?.bad).length });
		}
	}
	return found.sort((a, b) => b.now - a.now || b.bad - a.bad || a.test - b.test);
}

function showFailures() {
	const all = failures(), section = id("failures");
	if (!all.length) {
		section.append(make("p", { class: "quiet" }, "No test failed."));
		return;
	}
	longList(section, make("ul", { class: "list" }), all.length, 25, i => {
		const { test, own, configuration, now } = all[i];
		const column = own.findLast(one => statusAt(one, test)?.bad), why = whyAt(column, test);
		const reason = why?.reason || (now ? statusAt(column, test).word : "");
		const last = own.at(-1).run === newest ? statusAt(own.at(-1), test)?.word || "no result"
			: "not in the newest run";
		return make("li", {}, button({ class: "failure" }, () => openTest(test, column),
			make("span", { class: "name" }, data.tests[test], tagOf(configuration)),
			strip(own, test),
			make("span", { class: "why" }, now ? reason : `${last}; before: ${reason || "failed"}`)));
	});
}

/* --- kernel messages ------------------------------------------------------------------------ */

const linesOf = texts => make("pre", { tabindex: "0" }, texts);

function showKernel() {
	const groups = new Map(), section = id("kernel");
	for (const one of data.kernel) {
		const key = `${one.kind}\n${one.trace ?? one.line}`;
		groups.set(key, [...groups.get(key) || [], one]);
	}
	section.hidden = !groups.size;
	const all = [...groups.values()].sort((a, b) => b.length - a.length);
	longList(section, make("ul", { class: "list" }), all.length, 20, i => {
		const group = all[i], tests = [...new Set(group.map(one => one.test || "between tests"))];
		return make("li", {}, make("details", {},
			make("summary", {}, make("span", { class: "s-crash" }, `${group[0].kind || "kernel"} `),
				make("span", { class: "mono" }, text(group[0].line)),
				make("span", { class: "tag" }, plural(group.length, "time", "times"))),
			make("div", { class: "inside" }, make("p", { class: "quiet" }, `In ${tests.join(", ")}`),
				linesOf(text(group[0].trace) || text(group[0].line)))));
	});
}

/* --- runs ----------------------------------------------------------------------------------- */

function table(head, rows) {
	return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table of runs" },
		make("table", {},
			make("thead", {}, make("tr", {}, ...head.map(([word, style]) =>
				make("th", { scope: "col", class: style }, word)))),
			make("tbody", {}, ...rows)));
}

function showRuns(counts) {
	const word = name => statuses.findIndex(status => status.name === name);
	const head = [["Run"], ["State"], ["Kernel"], ["Filesystem"], ["Took", "number"], ["Passed", "number"],
		["Failed", "number"], ["Crashed", "number"], ["Timed out", "number"], ["Not run", "number"]];
	const rows = runs.map((run, i) => make("tr", {},
		make("th", { scope: "row" }, run.id), make("td", {}, run.state),
		make("td", {}, run.kernel_version || "–"),
		make("td", {}, run.fstype || "–"),
		make("td", { class: "number" }, run.seconds ? duration(run.seconds) : "–"),
		...["pass", "fail", "crash", "timeout", "notrun"].map(name => {
			const n = counts[i][word(name)];
			const style = n && statuses[word(name)].bad ? ` s-${name}` : "";
			return make("td", { class: `number${style}` }, number(n));
		}))).reverse();
	id("runs").append(table(head, rows));
}

/* --- reasons and durations ------------------------------------------------------------------ */

function showReasons() {
	const groups = new Map();
	for (const column of columns.filter(one => one.run === newest))
		for (let test = 0; test < data.tests.length; test++) {
			const status = statusAt(column, test);
			if (!status || ran(status))
				continue;
			const reason = whyAt(column, test)?.reason || "no reason given";
			const key = `${status.word}: ${reason}`;
			groups.set(key, (groups.get(key) || new Set()).add(data.tests[test]));
		}
	const all = [...groups].sort((a, b) => b[1].size - a[1].size), section = id("reasons");
	section.hidden = !all.length;
	longList(section, make("ul", { class: "list" }), all.length, 15, i => make("li", {}, make("details", {},
		make("summary", {}, all[i][0], make("span", { class: "tag" }, plural(all[i][1].size, "test", "tests"))),
		make("p", { class: "inside mono" }, [...all[i][1]].sort(byName.compare).join(" ")))));
}

function showSlowest() {
	const all = [];
	for (const column of columns.filter(one => one.run === newest))
		for (let test = 0; test < data.tests.length; test++)
			if (secondsAt(column, test) > 0)
				all.push({ column, test, seconds: secondsAt(column, test) });
	all.sort((a, b) => b.seconds - a.seconds);
	const section = id("slowest"), sum = all.reduce((total, one) => total + one.seconds, 0);
	section.hidden = !all.length;
	if (!all.length)
		return;
	const top = all.slice(0, 12), topSum = top.reduce((total, one) => total + one.seconds, 0);
	section.append(make("p", { class: "quiet" }, `The tests of ${runs[newest].id} took ${duration(sum)} in all; ` +
		`these ${number(top.length)} took ${Math.round(100 * topSum / sum)} % of it.`),
		make("div", { class: "bars" }, ...top.flatMap(({ column, test, seconds }) => {
			const bar = make("div", { class: "bar" });
			bar.style.width = `${100 * seconds / top[0].seconds}%`;
			return [button({}, () => openTest(test, column), data.tests[test],
				tagOf(column.configuration)),
				make("div", { class: "track", "aria-hidden": "true" }, bar),
				make("span", { class: "number" }, duration(seconds))];
		})));
}
