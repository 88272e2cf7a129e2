"""The report of `hone tune --report` in a browser: it is clicked through, on wide and narrow, light and dark grounds.

usage: report_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER [NAME ...]

Screenshots lie in SCRATCH_FOLDER.  Exit status 77 where there is no Chromium.
"""
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from browser import Browser, find_browser  # noqa: E402
from command_harness import LLAMA, SCRATCH, hone, run_tests  # noqa: E402

WIDTHS = (1280, 390)
DATA = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.DOTALL)


def tune(report, *words, **options):
    return hone("tune", LLAMA, "--cache", SCRATCH / "records", "--threads", 1, "--quiet", "--report", report, *words, **options)


def recorded():
    """A page from records, which the first call measures."""
    path = SCRATCH / "recorded.html"
    if not path.exists():
        tune(SCRATCH / "measured.html", "--effort", 1, "--budget", "6s")
        tune(path, "--effort", 0)
    return path


def data_of(path):
    return json.loads(DATA.search(path.read_text())[2])


def write_changed(path, source, change):
    """A copy of a page whose data is changed, escaped as Hone escapes it."""
    data = data_of(source)
    change(data)
    escaped = json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    path.with_suffix(".new").write_text(DATA.sub(lambda match: match[1] + escaped + match[3], source.read_text()))
    path.with_suffix(".new").replace(path)


def check_fits(page, where):
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), f"{where}: too wide"
    # Whatever is wider than the page lies in a part that scrolls by itself.
    outside = page.evaluate("""[...document.querySelectorAll("body *")].filter((element) =>
        !element.closest(".scroll, #tip, .skip") && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map((element) => element.tagName + "#" + element.id + "." + element.getAttribute("class"))""")
    assert not outside, (where, outside[:5])


def text_of(page, selector):
    return page.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")


def check_parts(page, data):
    assert text_of(page, "#state") == "finished"
    assert page.evaluate("document.querySelectorAll('#problem-table tbody tr').length") == len(data["problems"])
    listed = page.evaluate("[...document.querySelectorAll('#problem-table .text')].map((cell) => cell.textContent)")
    assert sorted(listed) == sorted(problem["problem"] for problem in data["problems"])
    drawn = [p for p in data["problems"] if p["seconds"] > 0 and p["operations"] > 0]
    measured = [p for p in drawn if p["basis"] in ("final", "explored")]
    assert page.evaluate("document.querySelectorAll('#roofline-chart .pick').length") == len(drawn) >= len(measured) > 0
    assert page.evaluate("document.querySelectorAll('#roofline-chart .estimated').length") == len(drawn) - len(measured)
    assert page.evaluate("document.querySelectorAll('#searches-chart .trace').length") >= len(measured)
    assert page.evaluate("[...document.querySelectorAll('svg')].every((drawing) => drawing.querySelector('title'))")
    assert page.evaluate("[...document.querySelectorAll('th')].every((cell) => cell.scope === 'col' || cell.scope === 'row')")
    assert {choice["decision"] for choice in data["choices"]} >= {"placement", "layout", "KV type", "context", "chunk", "numerics"}
    assert page.evaluate("document.querySelectorAll('#choices tbody tr').length") == len(data["choices"])
    assert "undefined" not in page.evaluate("document.body.innerText") and "NaN" not in page.evaluate("document.body.innerHTML")


def chosen(page):
    return page.evaluate("view.problem")


def click_through(page, data):
    dearest = chosen(page)
    page.click("#next")
    assert chosen(page) == (dearest + 1) % len(data["problems"])
    assert page.evaluate("document.activeElement.id") == "next", "the keyboard's place is lost"
    page.press("Enter")
    assert chosen(page) == (dearest + 2) % len(data["problems"])
    page.click("#problem-table tbody tr:last-child .op")
    last = page.evaluate("Number(document.querySelector('#problem-table tbody tr:last-child').dataset.index)")
    assert chosen(page) == last and data["problems"][last]["problem"] in text_of(page, "#detail-body")
    page.click("#problem-table th button")
    assert page.evaluate("document.querySelector('#problem-table th').getAttribute('aria-sort')") == "ascending"
    page.evaluate("document.querySelector('#roofline-chart .pick[tabindex=\"0\"]').focus()")
    page.press("ArrowRight")
    page.press("Enter")
    assert chosen(page) == page.evaluate("Number(document.querySelector('#roofline-chart .chosen').dataset.name)")


def choose_candidates(page, data):
    """In the problem with the most configs measured: by table, by line, and what the address keeps."""
    most = max(range(len(data["problems"])), key=lambda at: len([c for c in data["problems"][at]["detail"]["candidates"] if "at" in c]))
    page.evaluate(f"chooseProblem({most})")
    page.click("#candidates tbody tr.row:nth-child(2)")
    name = page.evaluate("view.candidate")
    assert name and name in text_of(page, "#readout")
    lines = page.evaluate("[...document.querySelectorAll('#detail .pick')].map((line) => line.dataset.name)")
    assert lines, "no parallel coordinates"
    page.evaluate("document.querySelector('#detail .pick').focus()")
    page.press("Enter")
    assert page.evaluate("view.candidate") in lines + [""]
    page.press("ArrowRight")
    page.press("Enter")
    name = page.evaluate("view.candidate")
    assert page.evaluate("document.querySelectorAll('#detail .pick.chosen').length") == 1, name
    assert name in page.evaluate("decodeURIComponent(location.hash.replaceAll('+', ' '))")


def test_records_tell_the_same_as_the_run():
    second, first = data_of(recorded()), data_of(SCRATCH / "measured.html")
    assert first["measured"] > 0 and second["measured"] == 0
    assert [p["winner"] for p in first["problems"]] == [p["winner"] for p in second["problems"]]


def test_what_cannot_be_written_is_said_before_tuning():
    assert str(recorded()) in tune(recorded() / "report.html", "--effort", 1, status=1)[1]


def test_wide_and_narrow_light_and_dark():
    path = recorded()
    data = data_of(path)
    for width in WIDTHS:
        for dark in (False, True):
            where = f"{width}-{'dark' if dark else 'light'}"
            page = browser.open(path.as_uri(), width, dark=dark)
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") != dark, (where, ground)
            check_parts(page, data)
            check_fits(page, where)
            click_through(page, data)
            choose_candidates(page, data)
            check_fits(page, where)
            page.screenshot(SCRATCH / f"report-{where}.png")
            assert page.complaints == [], (where, page.complaints)
            page.close()


def test_names_are_text():
    path = recorded()
    hostile = '</script><img src=x onerror="window.broken = 1"><script>window.broken = 1</script>'

    def change(data):
        data["model"] = data["device"]["name"] = data["failure"] = hostile
        for problem in data["problems"]:
            problem["problem"] = problem["op"] = problem["winner"] = problem["note"] = hostile
            for candidate in problem["detail"]["candidates"]:
                candidate["name"] = candidate["reason"] = hostile + candidate["name"]
    write_changed(SCRATCH / "hostile.html", path, change)
    page = browser.open((SCRATCH / "hostile.html").as_uri(), 1280)
    assert page.evaluate("window.broken") is None and page.evaluate("document.images.length") == 0
    assert hostile in text_of(page, "#problem-table") and page.complaints == []
    check_fits(page, "hostile names")
    page.close()


def test_it_lives_while_tuning_goes_on():
    path = recorded()
    live = SCRATCH / "live.html"

    def begin(data):
        data.update(state="tuning", written=4e9)
        for at, problem in enumerate(data["problems"]):
            problem["state"] = ("tuning", "waiting")[at > 0]
            for name in ("winner", "basis", "seconds", "limit", "share", "gain", "step", "configurations", "rejected", *(["detail"] if at else [])):
                problem.pop(name, None)
    write_changed(live, path, begin)
    page = browser.open(live.as_uri(), 1280)
    assert text_of(page, "#state") == "tuning"
    check_fits(page, "live")
    page.click("#next")
    assert "turn has not come" in text_of(page, "#detail")
    page.click("#pause")
    assert page.evaluate("view.paused")
    page.click("#pause")
    write_changed(live, path, lambda data: None)
    page.wait_for_load(2)
    assert text_of(page, "#state") == "finished" and not page.evaluate("!!document.getElementById('pause')")
    assert chosen(page) == 1, "what was looked at is lost"
    assert page.complaints == [], page.complaints
    page.close()


if not find_browser():
    print("SKIPPED: no Chromium is installed (Debian: chromium-headless-shell or chromium)")
    sys.exit(77)
with Browser() as browser:
    run_tests(globals())
