"use strict";
/* Shows the results in the block #data. All text of it goes into the page through text nodes and
 * attributes that hold text: nothing of it can become markup, a style or a script. */
const data = JSON.parse(document.getElementById("data").textContent);
const id = name => document.getElementById(name);

/* --- words ---------------------------------------------------------------------------------- */

const LETTERS = { pass: "·", fail: "F", crash: "C", timeout: "T", notrun: "–", expunged: "x", excluded: "x",
	unreached: "?" };
const ORDER = ["crash", "fail", "timeout", "unreached", "pass", "notrun", "excluded", "expunged"];
const statuses = data.statuses.map(([name, word, bad]) =>
	({ name, word, bad, letter: LETTERS[name] || "*", style: LETTERS[name] ? `s-${name}` : "s-other" }));
const number = n => n.toLocaleString("en");
const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

function duration(seconds) {
	if (seconds < 60)
		return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
	const s = Math.round(seconds), two = n => String(n).padStart(2, "0");
	return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)} min`
		: `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)} h`;
}

const sizes = n => n < 1024 ? `${n} bytes` : n < 1048576 ? `${Math.ceil(n / 1024)} kB` : `${Math.ceil(n / 1048576)} MB`;

function day(run, options) {
	return run.began ? new Date(run.began * 1000).toLocaleString("en-GB", options) : "";
}

/* --- elements ------------------------------------------------------------------------------- */

/* Makes an element. TEXT and what follows are strings, which stay text, or elements. */
function make(tag, attributes, ...inside) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {}))
		if (value !== null && value !== undefined && value !== false)
			element.setAttribute(name, value === true ? "" : value);
	element.append(...inside.filter(one => one !== null && one !== undefined && one !== ""));
	return element;
}

function button(attributes, action, ...inside) {
	const element = make("button", { type: "button", ...attributes }, ...inside);
	element.addEventListener("click", action);
	return element;
}

/* Shows COUNT items at first, made by ONE(i), and a button for the others. */
function longList(section, list, total, count, one) {
	const add = (from, to) => {
		for (let i = from; i < to; i++)
			list.append(one(i));
	};
	add(0, Math.min(count, total));
	section.append(list);
	if (total > count) {
		const more = button({ class: "button more" }, () => {
			more.remove();
			add(count, total);
			const next = list.children[count];
			(next.querySelector("button, summary") || next).focus();
		}, `Show all ${number(total)}`);
		section.append(more);
	}
}

/* --- results -------------------------------------------------------------------------------- */

const runs = data.runs;
const columns = data.columns.map(column => ({ ...column,
	configuration: column.configuration, why: new Map(Object.entries(column.why)),
	again: new Map(Object.entries(column.again)) }));
const configurations = [...new Set(columns.map(column => column.configuration))];
/* Columns stand by configuration, and then from the oldest run to the newest. */
columns.sort((a, b) => configurations.indexOf(a.configuration) - configurations.indexOf(b.configuration) ||
	a.run - b.run);
const newest = runs.length - 1;

const statusAt = (column, test) => {
	const code = column.statuses.charCodeAt(test) - 48;
	return code >= 0 ? statuses[code] : null;
};
const secondsAt = (column, test) => column.tenths[test] / 10;
const text = position => position === null ? "" : data.texts[position];
const whyAt = (column, test) => {
	const why = column.why.get(data.tests[test]);
	return why && { reason: text(why[0]), detail: text(why[1]), seen: text(why[2]), size: why[3], guest: why[4] };
};
const gravity = status => status ? ORDER.length - (ORDER.indexOf(status.name) + 1 || ORDER.length) + 1 : 0;
const runLabel = run => run.began ? [day(run, { day: "numeric", month: "short" }),
	day(run, { hour: "2-digit", minute: "2-digit" })] : [run.id];

function countsOf(run) {
	const counts = statuses.map(() => 0);
	for (const column of columns)
		if (column.run === run)
			for (let test = 0; test < data.tests.length; test++) {
				const status = statusAt(column, test);
				if (status)
					counts[statuses.indexOf(status)]++;
			}
	return counts;
}

const sumOf = (counts, wanted) => counts.reduce((sum, n, i) => sum + (wanted(statuses[i]) ? n : 0), 0);
const ran = status => status.bad || status.name === "pass";

/* The previous column of the same configuration, or undefined. */
const before = column => columns[columns.indexOf(column) - 1]?.configuration === column.configuration
	? columns[columns.indexOf(column) - 1] : undefined;
