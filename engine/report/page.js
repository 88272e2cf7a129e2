/* The page: what is shown where, what is chosen, and how it stays up to date while tuning goes on. */

const refreshSeconds = 5, staleSeconds = 600;

/* ---- What is looked at ---- */

function recall() {
    const words = new URLSearchParams(location.hash.slice(1));
    const problem = Number(words.get("problem") || 0) - 1;
    if (problem >= 0 && problem < data.problems.length) view.problem = problem;
    view.variant = words.get("variant") || "";
    view.candidate = words.get("candidate") || "";
    view.paused = words.get("paused") === "1";
}

function remember() {
    const words = new URLSearchParams();
    if (view.problem >= 0) words.set("problem", view.problem + 1);
    if (view.variant) words.set("variant", view.variant);
    if (view.candidate) words.set("candidate", view.candidate);
    if (view.paused) words.set("paused", "1");
    history.replaceState(null, "", "#" + words);
}

/* The problem that a step spends most of its time in. */
function dearest() {
    let best = 0;
    data.problems.forEach((problem, index) => {
        const cost = (at) => data.problems[at].weight * timeOf(data.problems[at]);
        if (cost(index) > cost(best)) best = index;
    });
    return best;
}

function chooseProblem(index) {
    view.problem = index;
    view.variant = "";
    view.candidate = "";
    const focused = document.activeElement && document.activeElement.id;
    drawRoofline(byId("roofline-chart"));
    drawSearches(byId("searches-chart"));
    for (const row of document.querySelectorAll("#problem-table tr.row")) row.classList.toggle("chosen", Number(row.dataset.index) === index);
    refreshProblem(focused);
}

function refreshProblem(focused) {
    drawProblem(byId("detail-body"));
    if (focused && byId(focused)) byId(focused).focus();
    hideTip();
    remember();
}

/* ---- Head and summary ---- */

const stateTexts = {
    tuning: ["busy", "tuning"], finished: ["good", "finished"], interrupted: ["bad", "interrupted"],
    "out of time": ["good", "stopped at the budget"], failed: ["bad", "failed"],
};

function drawLive(place) {
    const [className, text] = stateTexts[data.state], written = new Date(data.written * 1000);
    const parts = [html("span", { class: "badge " + className, id: "state" }, text),
        html("span", { class: "faint" }, html("time", { datetime: written.toISOString() }, written.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" })))];
    if (data.state === "tuning") {
        const stale = Date.now() / 1000 - data.written > staleSeconds;
        if (stale) parts.push(html("span", { class: "faint" }, "no news for a while: the tuner seems to have ended"));
        parts.push(html("button", { type: "button", id: "pause", "aria-pressed": String(view.paused), onclick: () => {
            view.paused = !view.paused;
            remember();
            drawLive(place);
        } }, view.paused ? "Go on refreshing" : "Pause refreshing"));
    }
    show(place, ...parts);
}

function refreshLater() {
    if (data.state !== "tuning") return;
    setInterval(() => { if (!view.paused && !document.hidden) location.reload(); }, refreshSeconds * 1000);
}

function tile(name, value, small) {
    return html("div", {}, html("dt", {}, name), html("dd", {}, value, small ? html("small", {}, small) : null));
}

function sum(numberOf) {
    return data.problems.reduce((total, problem) => total + (numberOf(problem) || 0), 0);
}

/* How much faster the raced problems became together. */
function gainTile() {
    const raced = data.problems.filter((problem) => problem.default > 0);
    const before = raced.reduce((total, problem) => total + problem.weight * problem.default, 0);
    const after = raced.reduce((total, problem) => total + problem.weight * problem.seconds, 0);
    return after > 0 ? tile("Faster than defaults", digits(before / after) + "×", `over ${raced.length} raced problems, as often as each runs`) : null;
}

function limitTile() {
    const known = data.problems.filter((problem) => problem.share > 0);
    const limit = known.reduce((total, problem) => total + problem.weight * problem.limit, 0);
    const time = known.reduce((total, problem) => total + problem.weight * problem.seconds, 0);
    return time > 0 ? tile("Of the machine's limit", percent(limit / time), "of all measured kernels together") : null;
}

/* Other work lowers rates: ceilings that were taken beside it are too low. */
function lowCeilings() {
    const above = data.problems.filter((problem) => problem.share > 1.05).length;
    return above ? html("p", { class: "note" }, `Faster than the ceilings allow: ${above} of ${data.problems.length} problems. The machine was busier when its rates were measured than ` +
        "when these kernels were. Tune again while it is quiet for limits that hold.") : null;
}

function drawSummary(place) {
    const done = data.problems.filter((problem) => problem.state === "done").length;
    const known = sum((problem) => problem.measured) + sum((problem) => problem.known);
    show(place, html("dl", { class: "tiles" },
        tile("Problems", `${done} of ${data.problems.length}`, data.state === "tuning" ? "done so far" : "of this model on this device"),
        tile("Step time raced", percent(data.coverage, 1), "in kernels whose finals were held"),
        gainTile(), data.expected > 0 ? tile("Left to gain", percent(data.expected, 1), "of a step, expected of more search") : null, limitTile(),
        tile("Candidates known", count(known), `of ${count(sum((problem) => problem.configurations))} legal; ${count(sum((problem) => problem.measured))} measured in this run`),
        data.seconds > 0 ? tile("Took", seconds(data.seconds), data.restarts ? `workers replaced: ${data.restarts}` : "no worker crashed") : null),
    data.failure ? html("p", { class: "note" }, data.failure) : null, lowCeilings());
}

/* ---- Problems ---- */

const columns = [
    { name: "Problem", value: (problem) => problem.op },
    { name: "Time", number: true, value: timeOf, show: (problem) => (timeOf(problem) > 0 && !isMeasured(problem) ? "≈ " : "") + seconds(timeOf(problem)) },
    { name: "Limit", number: true, wide: true, value: (problem) => problem.limit || 0, show: (problem) => seconds(problem.limit) },
    { name: "Of limit", number: true, value: (problem) => problem.share || 0, show: (problem) => shareCell(problem.share) },
    { name: "Gain", number: true, wide: true, value: (problem) => problem.gain || 0, show: (problem) => problem.gain > 0 ? digits(problem.gain) + "×" : "–" },
    { name: "Of step", number: true, wide: true, value: (problem) => problem.weight * timeOf(problem), show: (problem) => percent(problem.step, 1) },
    { name: "Known", number: true, wide: true, value: (problem) => (problem.measured || 0) + (problem.known || 0), show: knownCell },
];
const order = { column: 5, down: true };

function shareCell(share) {
    if (!(share > 0)) return "–";
    return [percent(share), html("span", { class: "bar wide", "aria-hidden": "true" }, html("i", { style: `width: ${Math.min(100, 100 * share)}%` }))];
}

function knownCell(problem) {
    if (problem.configurations === undefined) return problem.state;
    return `${count(problem.measured + problem.known)} of ${count(problem.configurations)}`;
}

function problemRow(problem, index) {
    const row = html("tr", { class: "row", onclick: () => chooseProblem(index) },
        html("td", {}, html("button", { type: "button", class: "op", onclick: (event) => { event.stopPropagation(); chooseProblem(index); byId("detail").scrollIntoView(); } }, shortName(problem)),
            problem.state === "tuning" ? html("span", { class: "badge busy" }, "under way") : null,
            html("span", { class: "text code", title: problem.problem }, problem.problem)),
        ...columns.slice(1).map((column) => html("td", { class: "number" + (column.wide ? " wide" : "") }, column.show(problem))));
    row.dataset.index = index;
    row.classList.toggle("chosen", index === view.problem);
    return row;
}

function sortBy(column) {
    order.down = order.column === column ? !order.down : columns[column].number;
    order.column = column;
    drawProblems(byId("problem-table"));
    document.querySelectorAll("#problem-table th button")[column].focus();
}

function drawProblems(place) {
    const value = columns[order.column].value;
    const sorted = data.problems.map((problem, index) => [problem, index]).sort(([a, i], [b, j]) => {
        const less = value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0;
        return (order.down ? -less : less) || i - j;
    });
    const head = columns.map((column, at) => html("th", {
        scope: "col", class: (column.number ? "number" : "") + (column.wide ? " wide" : ""),
        "aria-sort": at === order.column ? (order.down ? "descending" : "ascending") : null,
    }, html("button", { type: "button", onclick: () => sortBy(at) }, column.name)));
    show(place, html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...sorted.map(([problem, index]) => problemRow(problem, index)))));
}

/* ---- The rest ---- */

function drawRejected(place) {
    const total = {};
    for (const problem of data.problems)
        for (const [name, number] of Object.entries(problem.rejected || {})) total[name] = (total[name] || 0) + number;
    show(place, rejectedBars(total, data.problems));
}

function drawChoices(place) {
    byId("choices").hidden = !data.choices.length;
    show(place, html("div", { class: "scroll", role: "region", "aria-label": "Table of decisions", tabindex: 0 }, html("table", {},
        html("thead", {}, html("tr", {}, ...["Decision", "Chosen", "Why"].map((name) => html("th", { scope: "col" }, name)))),
        html("tbody", {}, ...data.choices.map((choice) => html("tr", {},
            html("th", { scope: "row" }, choice.decision), html("td", {}, choice.chosen),
            html("td", { class: "faint" }, choice.reason, choice.otherwise ? [html("br"), "otherwise: ", html("code", {}, choice.otherwise)] : null)))))));
}

function factText(name, value) {
    if (name.endsWith("bandwidth")) return bytesPerSecond(value);
    if (name.endsWith("rate")) return operationsPerSecond(value);
    if (name.endsWith("nanoseconds")) return seconds(value * 1e-9);
    if (name.includes("bytes")) return byteText(value);
    return name.startsWith("has_") ? "yes" : count(value);
}

function drawSetting(place) {
    const protocol = data.protocol;
    show(place, html("div", { class: "pair" },
        html("div", {}, html("h3", {}, "Protocol"), facts([
            ["Hone", protocol.hone], ["Compiler", protocol.compiler], ["Measuring", `version ${protocol.version}: checked against the reference, operands as cold as in a step, medians`],
            ["Strategy", protocol.strategy], ["Effort", `${protocol.effort} of 4`], ["Budget", protocol.budget > 0 ? seconds(protocol.budget) : "none"], ["Seed", protocol.seed],
            ["Numerics", protocol.fast ? "fast: coarser than the weights' type is allowed" : "default: nothing coarser than the weights' type"],
            ["Scope", protocol.scope], ["Records", protocol.store || "in memory only"]])),
        html("div", {}, html("h3", {}, "Machine"), facts([["Device", data.device.name], ["Class", data.device.class],
            ...data.device.facts.map(([name, value, meaning]) => [html("span", { title: meaning }, name.replace(/_(bytes|nanoseconds)$/, "").replace(/_/g, " ")), factText(name, value)])]))));
}

function drawAll() {
    drawRoofline(byId("roofline-chart"));
    drawSearches(byId("searches-chart"));
    drawProblem(byId("detail-body"));
}

function start() {
    recall();
    if (view.problem < 0) view.problem = dearest();
    byId("device").textContent = data.device.name + " (" + data.device.class + ")";
    drawLive(byId("live"));
    drawSummary(byId("summary"));
    drawProblems(byId("problem-table"));
    drawRejected(byId("rejected-body"));
    drawChoices(byId("choices-body"));
    drawSetting(byId("setting-body"));
    drawAll();
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
        if (window.innerWidth === width) return;
        width = window.innerWidth;
        drawAll();
    });
    refreshLater();
}

start();
