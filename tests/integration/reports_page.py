"""The page of rootlet runs report --html in a headless Chromium: clicks, keys, filters, what a screen reader
is told, colors, narrow screens, speed, and that nothing of hostile output runs. Needs no helper and no
guest."""
import os

from support import tap
from support.browser import Browser, program
from support.pace import patient
from support.runs import HOSTILE, OOPS, RESULTS, many, write_hostile_run, write_run
from support.world import Home

home = Home()
SHOTS = os.environ.get("ROOTLET_TEST_SCREENSHOTS")  # a directory: to look at what the tests see


def page(name, *runs):
    path = f"{home.dir}/{name}.html"
    outcome = home.run("runs", "report", *runs, "--html", path)
    if outcome.status:
        tap.report(False, f"the page {name} is written", outcome)
    return path


def shot(browser, name):
    if SHOTS:
        browser.screenshot(f"{SHOTS}/{name}.png")


def rows(browser):
    return browser.value("[...document.querySelectorAll('#grid tbody th')].map(e => e.textContent)")


def active(browser):
    """Returns (test, column, label) of the cell that has the focus."""
    return browser.value("""(() => { const e = document.activeElement;
        return e.dataset.row ? [e.parentNode.firstChild.textContent, Number(e.dataset.column),
                                e.getAttribute("aria-label")] : [e.id || e.tagName]; })()""")


def opened(browser):
    """Returns the title of the open details, or None."""
    return browser.value("document.getElementById('details').hidden ? null :"
                         " document.getElementById('details-title').textContent")


def figures(browser):
    """10 runs of 1,781 tests."""
    path = page("large",
                *[write_run(home, f"large/{i}", many(20, 1781, i), (OOPS,), began=1794500000 + i * 90000)
                           for i in range(10)])
    browser.open(path)
    paint = browser.value("""new Promise(done => new PerformanceObserver(list =>
        list.getEntriesByName("first-contentful-paint").forEach(one => done(one.startTime)))
        .observe({ type: "paint", buffered: true }))""")
    tap.report(paint <= 1000 * patient(1),
               f"10 x 1,781: the first paint comes within a second: {paint:.0f} ms")
    tap.report(browser.value("document.querySelectorAll('#grid tbody tr').length") < 200,
               "10 x 1,781: the table holds only the rows in sight")
    shot(browser, "light")
    browser.value("document.getElementById('matrix').scrollIntoView()")
    browser.settle()
    shot(browser, "light-matrix")
    # In time of the page's own thread, whatever else the machine does.
    browser.call("Performance.enable", timeDomain="threadTicks")

    def used():
        return next(one["value"] for one in browser.call("Performance.getMetrics")["metrics"]
                    if one["name"] == "TaskDuration")
    before = used()
    at, blank = browser.value("""(async () => { const s = document.getElementById("scroll"); let blank = 0;
        for (let i = 0; i < 60; i++) {
            s.scrollTop += 331;
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            const r = s.getBoundingClientRect();
            const seen = document.elementFromPoint(r.x + 20, r.y + r.height / 2);
            blank += !seen.closest("tbody th");
        }
        return [s.scrollTop, blank]; })()""")
    each = (used() - before) / 60 * 1000
    tap.report(at == 60 * 331 and not blank, "10 x 1,781: rows are there wherever it is scrolled to", at,
               blank)
    tap.report(each <= 33,
               f"10 x 1,781: a step of scrolling takes at most 33 ms of processor time: {each:.1f} ms")
    tap.report(not browser.complaints() and browser.requests() == [f"file://{path}"],
               "the page has no errors and asks for no other file", browser.complaints(), browser.requests())


def small():
    """Three runs: 001 passes, 002 fails at last, 005 always crashes, 006 times out once."""
    paths = []
    for i in range(3):
        results = [dict(one) for one in RESULTS]
        if i < 2:
            results[1] = {"name": "generic/002", "status": "pass", "seconds": 11}
        if i != 1:
            results[5] = {"name": "generic/006", "status": "pass", "seconds": 5}
        paths.append(write_run(home, f"small/run-{i}", results, began=1794500000 + i * 90000, files={
            "generic/002.out.bad": "QA output\nmount: broken\n"} if i == 2 else None))
    return page("small", *paths)


def clicks(browser, path):
    browser.open(path)
    tap.report(browser.value("document.getElementById('verdict').textContent") == "2 of 4 tests failed" and
               "1 of these passed in the run before" in browser.value("document.body.innerText"),
               "the head says how many tests failed, and how many passed before",
               browser.value("document.querySelector('header').innerText"))
    names = browser.value("[...document.querySelectorAll('.failure .name')].map(e => e.textContent)")
    tap.report(names == ["generic/005", "generic/002", "generic/006"],
               "failures: crashes first, then by the newest run", names)
    browser.click("#failures li:nth-child(2) button")
    text = browser.value("document.getElementById('details').innerText")
    tap.report(opened(browser) == "generic/002" and text.count("passed in run-") == 2 and
               browser.value("document.querySelector('#details .add').textContent") ==
               "+mount: can't read the superblock", "a click on a failure shows its diff and the other runs",
               text)
    tap.report(not browser.value("document.querySelector('#details .inside pre').checkVisibility()"),
               "what it printed is folded")
    browser.click("#details summary")
    tap.report("mount: broken" in browser.value("document.getElementById('details').innerText"),
               "a click unfolds it")
    shot(browser, "details")
    browser.click("#details button")
    tap.report(opened(browser) is None and browser.value("document.activeElement.className") == "failure",
               "Close closes it, and the failure has the focus again")
    browser.click("#grid td[data-row='4'][data-column='2']")
    tap.report(opened(browser) == "generic/005" and
               "ext4_truncate" in browser.value("document.getElementById('details').innerText"),
               "a click on a cell shows that test with its trace")
    browser.press("Escape")
    browser.click("#kernel summary")
    tap.report("Call Trace:" in browser.value("document.getElementById('kernel').innerText") and
               "3 times" in browser.value("document.getElementById('kernel').innerText"),
               "equal kernel messages are one, with their trace")
    browser.click("#reasons summary")
    tap.report("generic/003" in browser.value("document.getElementById('reasons').innerText"),
               "reasons name their tests")


def filters(browser, path):
    browser.open(path)
    every = [one["name"] for one in RESULTS]
    for what, act, expected in (
            ("all tests", lambda: None, every),
            ("failed", lambda: browser.click("#statuses .s-fail"), ["generic/002"]),
            ("failed or timed out", lambda: browser.click("#statuses .s-timeout"),
             ["generic/002", "generic/006"]),
            ("no filter again",
             lambda: [browser.click("#statuses .s-fail"), browser.click("#statuses .s-timeout")],
             every),
            ("those that differ", lambda: browser.click("#statuses button:last-child"),
             ["generic/002", "generic/006"])):
        act()
        tap.report(rows(browser) == expected, f"filter: {what}", rows(browser))
    browser.click("#statuses button:last-child")
    for text, expected in (("005", ["generic/005"]), ("ATTR utility", ["generic/003"]), ("utility 001", []),
                           ("nothing", []), ("", every)):
        browser.value("document.getElementById('search').select()")
        browser.value("document.getElementById('search').focus()")
        if text:
            browser.type(text)
        else:
            browser.call("Input.dispatchKeyEvent", type="keyDown", key="Delete", windowsVirtualKeyCode=46)
            browser.settle()
        tap.report(rows(browser) == expected and (expected or "No test matches" in browser.value(
            "document.getElementById('grid').innerText")), f"search: \"{text}\"", rows(browser))
    browser.value("""(() => { const e = document.getElementById("sort"); e.value = "long";
        e.dispatchEvent(new Event("change")); })()""")
    tap.report(rows(browser)[:2] == ["generic/006", "generic/002"], "sort: the longest first", rows(browser))


def keys(browser, path):
    browser.open(path)
    browser.press("/")
    tap.report(active(browser) == ["search"], "/ goes to the search")
    for _ in range(30):
        if len(active(browser)) == 3:
            break
        browser.press("Tab")
    tap.report(active(browser) == ["generic/001", 0, "passed, 3.3 s"],
               "Tab comes to the table, with one stop for all cells", active(browser))
    for key, control, expected in (
            ("ArrowDown", False, ["generic/002", 0, "passed, 11 s"]),
            ("ArrowRight", False, ["generic/002", 1, "passed, 11 s"]),
            ("End", False, ["generic/002", 2, "failed, 12 s"]),
            ("ArrowRight", False, ["generic/002", 2, "failed, 12 s"]),
            ("End", True, ["generic/007", 2, "not reached"]),
            ("ArrowUp", False, ["generic/006", 2, "passed, 5.0 s"]),
            ("PageUp", False, ["generic/001", 2, "passed, 3.3 s"]),
            ("Home", True, ["generic/001", 0, "passed, 3.3 s"]),
            ("PageDown", False, ["generic/007", 0, "not reached"])):
        browser.press(key, control)
        tap.report(active(browser) == expected, f"{'Ctrl-' if control else ''}{key} moves to {expected[0]}",
                   active(browser))
    browser.press("ArrowUp")
    browser.press("Enter")
    tap.report(opened(browser) == "generic/006" and active(browser) == ["details"],
               "Enter opens the test, which gets the focus", active(browser))
    browser.press("Escape")
    tap.report(opened(browser) is None and active(browser)[:2] == ["generic/006", 0],
               "Escape closes it, and the cell has the focus again", active(browser))


def screen_reader(browser, path):
    browser.open(path)
    tree = browser.tree()
    for role, name in (("heading", "2 of 4 tests failed"), ("grid", "All tests"),
                       ("rowheader", "generic/002"),
                       ("gridcell", "failed, 12 s"), ("gridcell", "not run"), ("searchbox", "Search"),
                       ("button", "timed out"), ("region", "Failures")):
        tap.report((role, name) in tree, f"a screen reader is told of {role} \"{name}\"",
                   *[one for one in tree if one[0] == role])
    tap.report(browser.value("document.getElementById('grid').getAttribute('aria-rowcount')") == "8" and
               browser.value("document.querySelector('#grid tbody th').parentNode.ariaRowIndex") == "2",
               "a screen reader is told how many rows there are, and which one this is")
    nameless = [one for one in tree if one[0] in ("button", "searchbox", "combobox", "link", "image") and
                not one[1]]
    tap.report(not nameless, "everything that can be used has a name", *nameless)


# The smallest contrast of text and background in the page. Source: WCAG 2.2, relative luminance.
CONTRAST = """(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgb = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const under = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
        if (c[3] === 255) return c; } return [255, 255, 255]; };
    let worst = [21, ""];
    for (const e of document.querySelectorAll("body *")) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() ||
            ["SCRIPT", "STYLE", "OPTION"].includes(e.tagName))
            continue;
        const [a, b] = [light(rgb(getComputedStyle(e).color)), light(under(e))].sort((x, y) => y - x);
        const ratio = (a + .05) / (b + .05);
        if (ratio < worst[0]) worst = [ratio, `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`];
    }
    return worst; })()"""


def looks(browser, path):
    grounds = []
    for dark in (False, True):
        browser.open(path, dark=dark)
        browser.value("document.querySelector('.failure').click()")
        browser.settle()
        ratio, where = browser.value(CONTRAST)
        tap.report(ratio >= 4.5,
                   f"{'dark' if dark else 'light'}: all text has a contrast of 4.5: {ratio:.1f}", where)
        grounds.append(browser.value("getComputedStyle(document.body).backgroundColor"))
        shot(browser, "dark-details" if dark else "light-details")
    tap.report(grounds[0] != grounds[1], "light and dark differ", *grounds)
    for width in (320, 400, 800):
        browser.open(path, width=width)
        wide = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        tap.report(wide <= 0, f"{width} pixels: the page is no wider than the screen", wide)
        browser.click(".failure")
        tap.report(browser.value("document.getElementById('details').getBoundingClientRect().x") >= 0 and
                   browser.value("document.getElementById('details').scrollWidth"
                                 " <= document.getElementById('details').clientWidth"),
                   f"{width} pixels: the details fit")
        shot(browser, f"narrow-{width}")


def configurations(browser):
    runs = [write_run(home, f"sections/{i}", [
        {"name": f"generic/00{n}", "section": section, "status": "fail" if (i, n) == (1, 2) else "pass",
         "seconds": n}
        for section in ("ext4_4k", "ext4_1k") for n in range(1, 4)], (), began=1794500000 + i * 90000)
        for i in range(2)]
    browser.open(page("sections", *runs))
    heads = "[...document.querySelectorAll('#grid [scope=colgroup]')].map(e => e.textContent + e.colSpan)"
    tap.report(browser.value(heads) == ["ext4_4k2", "ext4_1k2"], "configurations have a head of their own",
               browser.value(heads))
    tap.report(browser.value("document.querySelectorAll('.failure').length") == 2,
               "a test that fails with two configurations is two failures")
    browser.value("""(() => { const e = document.getElementById("configuration"); e.value = "ext4_1k";
        e.dispatchEvent(new Event("change")); })()""")
    tap.report(browser.value(heads) == [] and
               browser.value("document.querySelectorAll('#grid thead th').length") == 3,
               "one configuration can be chosen")
    shot(browser, "sections")


def hostile(browser):
    for what, text in HOSTILE.items():
        browser.open(page("hostile", write_hostile_run(home, "hostile", text)))
        browser.value("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        browser.value("document.querySelectorAll('.failure').forEach(e => e.click())")
        browser.settle()
        strange = browser.value("[...document.querySelectorAll('script:not(body > script), img, iframe,"
                                " object, embed, svg, form, a[href*=\\':\\'], [onerror], [onclick]')]"
                                ".map(e => e.outerHTML)")
        shown = browser.value("document.getElementById('kernel').textContent")
        tap.report(not browser.complaints() and not strange and len(browser.requests()) == 1,
                   f"{what}: nothing of it runs, is loaded or becomes an element", browser.complaints(),
                   *strange)
        tap.report(browser.value("document.querySelectorAll('.failure').length") == 2 and
                   (text in shown if what in ("HTML", "XML") else shown), f"{what}: it is shown as text",
                   shown)


def policy(browser, path):
    """Even a script that got into the page does not run."""
    browser.open(path)
    browser.value("""(() => { const s = document.createElement("script"); s.textContent = "window.ran = 1";
        document.body.append(s); const d = document.createElement("div");
        d.innerHTML = "<img src=x onerror='window.ran = 2'><style>body { color: red }</style>";
        document.body.append(d);
        location.hash = "#test=%E0%A4%A"; })()""")
    browser.settle()
    said = " ".join(browser.complaints())
    tap.report(browser.value("window.ran === undefined") and "Content Security Policy" in said and
               browser.value("getComputedStyle(document.body).color") != "rgb(255, 0, 0)",
               "the policy of the page stops scripts, handlers and styles", said)
    browser.value("location.hash = '#test=generic%2F005'")
    browser.settle()
    tap.report(opened(browser) == "generic/005", "an address can name a test")


def main():
    if not program():
        tap.skip("the page in a browser", "Chromium is missing (Debian: chromium-headless-shell)")
        tap.done()
    path = small()
    with Browser(home.user) as browser:
        figures(browser)
        for part in (clicks, filters, keys, screen_reader, looks, policy):
            part(browser, path)
        configurations(browser)
        hostile(browser)
    tap.done()


main()
