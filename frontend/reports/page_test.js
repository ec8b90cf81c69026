/* One test in all runs, and the start of the whole. */

/* --- one test ------------------------------------------------------------------------------- */

let opener = null;

/* Colors the lines of a diff, which check indents. */
function diff(textOfDiff) {
	if (!/^ *(@@|--- )/m.test(textOfDiff))
		return linesOf(textOfDiff);
	const lines = textOfDiff.split("\n");
	const indent = lines.every(line => !line.trim() || line.startsWith("    ")) ? 4 : 0;
	const style = line => /^(---|\+\+\+|@@)/.test(line) ? "hunk" : { "+": "add", "-": "del" }[line[0]];
	return make("pre", { tabindex: "0", "aria-label": "difference of the expected (-) and the seen (+) output" },
		...lines.map(line => make("span", { class: style(line.slice(indent)) }, line.slice(indent))));
}

function resultOf(column, test, longest) {
	const status = statusAt(column, test), why = whyAt(column, test), run = runs[column.run];
	const again = column.again.get(data.tests[test]);
	const messages = data.kernel.filter(one => one.run === column.run && one.test === data.tests[test] &&
		!(why?.detail && text(one.trace) === why.detail));
	const article = make("article", {}, make("h3", {}, make("span", { class: status.style }, status.word),
		` in ${run.id}`));
	const facts = [column.configuration, ran(status) && duration(secondsAt(column, test)),
		why?.guest && `guest ${why.guest}`,
		run.kernel_version && `Linux ${run.kernel_version}`].filter(Boolean);
	article.append(make("p", { class: "hint" }, facts.join(" · ")));
	if (ran(status) && longest) {
		const bar = make("div", { class: "bar" });
		bar.style.width = `${Math.max(.5, 100 * secondsAt(column, test) / longest)}%`;
		article.append(bar);
	}
	if (again)
		article.append(make("p", { class: "reason" }, "It ran more than once: " +
			[...again].map(code => statuses[code.charCodeAt(0) - 48].word).join(", ") + "."));
	if (why?.reason)
		article.append(make("p", { class: "reason" }, why.reason));
	if (why?.detail)
		article.append(diff(why.detail));
	if (why?.seen)
		article.append(make("details", {}, make("summary", {}, `What it printed (${sizes(why.size)}` +
			`${why.size > why.seen.length ? "; the beginning" : ""})`),
			make("div", { class: "inside" }, linesOf(why.seen))));
	for (const one of messages)
		article.append(make("details", {}, make("summary", {}, `Kernel: ${text(one.line)}`),
			make("div", { class: "inside" }, linesOf(text(one.trace) || text(one.line)))));
	return article;
}

function openTest(test, chosen) {
	const own = columns.filter(column => statusAt(column, test));
	const first = own.includes(chosen) ? [chosen] : [];
	const rest = own.filter(column => column !== chosen).sort((a, b) => b.run - a.run);
	const longest = Math.max(...own.map(column => secondsAt(column, test)));
	const panel = id("details");
	if (panel.hidden)
		opener = document.activeElement;
	panel.replaceChildren(make("div", { class: "top" },
		make("h2", { id: "details-title" }, data.tests[test]),
		button({ class: "button" }, closeTest, "Close")),
		...[...first, ...rest].map(column => resultOf(column, test, longest)));
	panel.hidden = false;
	panel.scrollTop = 0;
	panel.focus();
	history.replaceState(null, "", `#test=${encodeURIComponent(data.tests[test])}`);
}

function closeTest() {
	if (id("details").hidden)
		return;
	id("details").hidden = true;
	history.replaceState(null, "", "#");
	(opener?.isConnected ? opener : activeCell())?.focus({ preventScroll: true });
}

function openFromAddress() {
	const name = /^#test=(.*)/.exec(location.hash)?.[1];
	let test = -1;
	try {
		test = name === undefined ? -1 : data.tests.indexOf(decodeURIComponent(name));
	} catch {
		return; /* not an address of ours */
	}
	if (test >= 0)
		openTest(test);
}

/* --- all of it ------------------------------------------------------------------------------ */

addEventListener("keydown", event => {
	const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
	if (event.key === "Escape" && !id("details").hidden) {
		closeTest();
		event.preventDefault();
	} else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
		id("search").focus();
		id("search").scrollIntoView({ block: "center" });
		event.preventDefault();
	}
});

const counts = runs.map((run, i) => countsOf(i));
showHead(counts[newest]);
showFailures();
showKernel();
showRuns(counts);
showTools(counts);
filterRows();
showReasons();
showSlowest();
id("made").textContent = `Made by rootlet ${data.version} on ${new Date(data.made * 1000).toLocaleString("en-GB")}.`;
openFromAddress();
addEventListener("hashchange", openFromAddress);
