/* The table of all tests, with its search and filters. It holds only the rows in sight. */

const byName = new Intl.Collator("en", { numeric: true });
const names = data.tests.map((name, test) => test).sort((a, b) => byName.compare(data.tests[a], data.tests[b]));
const EXTRA = 12; /* rows above and below those in sight */
const grid = { rows: names, columns, row: 0, column: 0 };
const filter = { words: [], statuses: new Set(), changed: false };
let body;

const searched = data.tests.map((name, test) => [name, ...columns.map(column =>
	text(column.why.get(name)?.[0] ?? null))].join("\n").toLowerCase());

function matches(test) {
	if (!filter.words.every(word => searched[test].includes(word)))
		return false;
	const all = grid.columns.map(column => statusAt(column, test));
	if (filter.changed && new Set(all.filter(Boolean).map(status => status.name)).size < 2)
		return false;
	return !filter.statuses.size || all.some(status => status && filter.statuses.has(status.name));
}

function sorted(tests) {
	const worst = test => Math.max(...grid.columns.map(column => {
		const status = statusAt(column, test);
		return status?.bad ? gravity(status) : 0;
	}));
	const longest = test => Math.max(...grid.columns.map(column => secondsAt(column, test) || 0));
	const key = { grave: worst, long: longest }[id("sort").value];
	if (!key || !grid.columns.length)
		return tests;
	const keys = new Map(tests.map(test => [test, key(test)]));
	return tests.sort((a, b) => keys.get(b) - keys.get(a));
}

function filterRows() {
	const configuration = id("configuration").value;
	grid.columns = columns.filter(column => !configuration || column.configuration === configuration);
	grid.rows = sorted(names.filter(matches));
	grid.row = Math.min(grid.row, Math.max(0, grid.rows.length - 1));
	grid.column = Math.min(grid.column, Math.max(0, grid.columns.length - 1));
	id("shown").textContent = grid.rows.length === names.length ? `All ${plural(names.length, "test", "tests")}`
		: `${number(grid.rows.length)} of ${plural(names.length, "test", "tests")}`;
	showGrid();
}

function headCells() {
	const groups = configurations.filter(one => grid.columns.some(column => column.configuration === one));
	const corner = make("th", { scope: "col", class: "corner" }, "Test");
	const own = grid.columns.map(column => make("th", { scope: "col", title: runs[column.run].id,
		class: groups.length > 1 && before(column) === undefined ? "group" : null }, 
		...runLabel(runs[column.run]).map(line => make("span", {}, line))));
	if (groups.length < 2)
		return [make("tr", { "aria-rowindex": "1" }, corner, ...own)];
	corner.setAttribute("rowspan", "2");
	const above = groups.map(group => make("th", { scope: "colgroup", class: "group",
		colspan: String(grid.columns.filter(column => column.configuration === group).length) }, group));
	return [make("tr", { "aria-rowindex": "1" }, corner, ...above), make("tr", { "aria-rowindex": "2" }, ...own)];
}

function showGrid() {
	const head = headCells(), scroll = id("scroll");
	Object.assign(grid, { heads: head.length, first: -1, last: -1, shown: new Map(), above: space(),
		below: space() });
	body = make("tbody", {}, grid.above, grid.below);
	id("grid").replaceChildren(make("colgroup", {}, make("col", { class: "names" }),
		...grid.columns.map(() => make("col", {}))), make("thead", {}, ...head), body);
	id("grid").setAttribute("aria-rowcount", String(grid.rows.length + head.length));
	id("grid").setAttribute("aria-colcount", String(grid.columns.length + 1));
	id("grid").style.minWidth = `${11 + 5 * grid.columns.length}rem`;
	id("grid").style.width = `min(100%, ${14 + 7.5 * grid.columns.length}rem)`;
	/* Rows have the height that the style gives them, whatever the size of the font. */
	grid.height = 1.75 * parseFloat(getComputedStyle(document.documentElement).fontSize);
	scroll.scrollTop = 0;
	if (!grid.rows.length)
		grid.below.before(make("tr", {}, make("td", { class: "nothing", colspan: grid.columns.length + 1 },
			"No test matches. Clear the search or a filter.")));
	showRows();
	/* The newest run is the one to see first. */
	scroll.scrollLeft = configurations.length === 1 ? scroll.scrollWidth : 0;
}

function cell(column, test, row, at) {
	const status = statusAt(column, test), seconds = secondsAt(column, test);
	const timed = status && ran(status);
	const element = make("td", { class: status?.style, "data-row": String(row), "data-column": String(at),
		tabindex: row === grid.row && at === grid.column ? "0" : "-1", "aria-colindex": String(at + 2),
		"aria-label": status ? `${status.word}${timed ? `, ${duration(seconds)}` : ""}` : "no result" });
	if (status)
		element.append(make("b", { "aria-hidden": "true" }, status.letter),
			timed ? make("span", { "aria-hidden": "true" }, duration(seconds)) : "");
	return element;
}

function space() {
	return make("tr", { class: "space", "aria-hidden": "true" },
		make("td", { colspan: String(grid.columns.length + 1) }));
}

function rowOf(row) {
	const test = grid.rows[row];
	return make("tr", { "aria-rowindex": String(row + grid.heads + 1) },
		make("th", { scope: "row", "aria-colindex": "1", title: data.tests[test] }, data.tests[test]),
		...grid.columns.map((column, at) => cell(column, test, row, at)));
}

/* Puts the rows in sight into the table, between two spaces as high as all others. */
function showRows() {
	const top = id("scroll").scrollTop;
	const first = Math.max(0, Math.floor(top / grid.height) - EXTRA);
	const last = Math.min(grid.rows.length, Math.ceil((top + innerHeight) / grid.height) + EXTRA);
	/* In steps, not with every pixel. */
	if (first === grid.first && last === grid.last || (first > 0 && last < grid.rows.length &&
	    Math.abs(first - grid.first) < EXTRA / 2 && Math.abs(last - grid.last) < EXTRA / 2))
		return;
	for (const [row, element] of grid.shown)
		if (row < first || row >= last) {
			element.remove();
			grid.shown.delete(row);
		}
	let previous = grid.above;
	for (let row = first; row < last; row++) {
		let element = grid.shown.get(row);
		if (!element) {
			element = rowOf(row);
			grid.shown.set(row, element);
			previous.after(element);
		}
		previous = element;
	}
	grid.above.firstChild.style.height = `${first * grid.height}px`;
	grid.below.firstChild.style.height = `${(grid.rows.length - last) * grid.height}px`;
	grid.first = first;
	grid.last = last;
	if (!activeCell() && last > first)
		grid.shown.get(Math.min(last - 1, first + EXTRA)).cells[grid.column + 1]?.setAttribute("tabindex", "0");
}

const activeCell = () => body.querySelector(`td[data-row="${grid.row}"][data-column="${grid.column}"]`);

function moveTo(row, column) {
	body.querySelectorAll('td[tabindex="0"]').forEach(one => one.setAttribute("tabindex", "-1"));
	grid.row = Math.max(0, Math.min(grid.rows.length - 1, row));
	grid.column = Math.max(0, Math.min(grid.columns.length - 1, column));
	const scroll = id("scroll"), head = id("grid").tHead.getBoundingClientRect().height;
	const top = grid.row * grid.height, room = scroll.clientHeight - head - grid.height;
	if (top < scroll.scrollTop)
		scroll.scrollTop = top;
	else if (top > scroll.scrollTop + room)
		scroll.scrollTop = top - room;
	showRows();
	const target = activeCell();
	target?.setAttribute("tabindex", "0");
	target?.focus({ preventScroll: true });
	const name = target?.parentNode.firstChild;
	if (!target)
		return;
	/* Not behind the column of names. */
	const left = target.offsetLeft - name.offsetWidth, right = target.offsetLeft + target.offsetWidth;
	if (left < scroll.scrollLeft)
		scroll.scrollLeft = left;
	else if (right > scroll.scrollLeft + scroll.clientWidth)
		scroll.scrollLeft = right - scroll.clientWidth;
}

function gridKey(event) {
	const page = Math.max(1, Math.floor(id("scroll").clientHeight / grid.height) - 2);
	const end = event.ctrlKey ? grid.rows.length - 1 : grid.row, start = event.ctrlKey ? 0 : grid.row;
	const moves = { ArrowUp: [grid.row - 1, grid.column], ArrowDown: [grid.row + 1, grid.column],
		ArrowLeft: [grid.row, grid.column - 1], ArrowRight: [grid.row, grid.column + 1],
		PageUp: [grid.row - page, grid.column], PageDown: [grid.row + page, grid.column],
		Home: [start, 0], End: [end, grid.columns.length - 1] };
	const target = event.target.closest?.("td[data-row]");
	if (event.altKey || event.metaKey || !grid.rows.length)
		return;
	if (target) {
		grid.row = Number(target.dataset.row);
		grid.column = Number(target.dataset.column);
	}
	if (moves[event.key])
		moveTo(...moves[event.key]);
	else if (target && (event.key === "Enter" || event.key === " "))
		openTest(grid.rows[grid.row], grid.columns[grid.column]);
	else
		return;
	event.preventDefault();
}

function showTools(counts) {
	const totals = statuses.map((status, i) => counts.reduce((sum, one) => sum + one[i], 0));
	const chips = id("statuses");
	const chip = (label, style, get, set) => {
		const one = button({ "aria-pressed": "false", class: style }, () => {
			set(!get());
			one.setAttribute("aria-pressed", String(get()));
			filterRows();
		}, label);
		chips.append(one);
	};
	for (const name of ORDER) {
		const at = statuses.findIndex(status => status.name === name);
		if (at >= 0 && totals[at])
			chip(statuses[at].word, statuses[at].style, () => filter.statuses.has(name),
				on => on ? filter.statuses.add(name) : filter.statuses.delete(name));
	}
	if (columns.length > 1)
		chip("differ between runs", "", () => filter.changed, on => { filter.changed = on; });
	id("configurations").hidden = configurations.length < 2;
	id("configuration").append(make("option", { value: "" }, "all"),
		...configurations.map(one => make("option", { value: one }, one)));
	let waiting = 0;
	id("search").addEventListener("input", () => {
		cancelAnimationFrame(waiting);
		waiting = requestAnimationFrame(() => {
			filter.words = id("search").value.toLowerCase().split(/\s+/).filter(Boolean);
			filterRows();
		});
	});
	id("configuration").addEventListener("change", filterRows);
	id("sort").addEventListener("change", filterRows);
	id("scroll").addEventListener("scroll", showRows, { passive: true });
	id("scroll").addEventListener("keydown", gridKey);
	id("grid").addEventListener("click", event => {
		const target = event.target.closest("td[data-row]");
		if (!target)
			return;
		moveTo(Number(target.dataset.row), Number(target.dataset.column));
		openTest(grid.rows[grid.row], grid.columns[grid.column]);
	});
	addEventListener("resize", showRows);
}
