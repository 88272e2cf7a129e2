/* One problem: why its winner, its search, its spaces, its candidates. */

const basisTexts = {
    final: "by finals: the best were measured side by side",
    explored: "by single measurements; no finals were held",
    estimate: "by its estimate; nothing was measured",
    reference: "because no variant answers: the reference runs",
};

/* Shown at first; a button shows the rest. */
const candidateRows = 20, ruleRows = 10;

function facts(pairs) {
    return html("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== null && value !== "" && value !== undefined)
        .map(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]));
}

function chosenBox(problem) {
    const detail = problem.detail, chosen = detail.candidates.find((candidate) => candidate.verdict === "chosen");
    const bound = problem.memory > problem.arithmetic ? "memory" : "arithmetic";
    return html("div", { class: "why-chosen" },
        html("p", {}, html("strong", {}, "Chosen "), basisTexts[detail.basis], chosen && chosen.reason ? "; " + chosen.reason : ""),
        html("p", {}, html("code", {}, detail.chosen)),
        facts([
            ["Time", timeOf(problem) > 0 ? seconds(timeOf(problem)) + (problem.gain > 0 ? `, ${digits(problem.gain)} times as fast as the default` : "") : null],
            ["Limit", problem.limit > 0 ? `${seconds(problem.limit)}, set by ${bound}${problem.share > 0 ? `; ${percent(problem.share)} of it reached` : ""}` : null],
            ["Work", `${count(problem.operations)} operations, ${byteText(problem.bytes)} moved`],
            ["More search", problem.expected > 0 ? `expected to gain ${seconds(problem.expected)} of a step` : null],
            ["Note", problem.note],
        ]));
}

function bars(entries, why) {
    const most = Math.max(1, ...entries.map(([, number]) => number));
    /* Counts lie decades apart. */
    const width = (number) => 100 * Math.log1p(number) / Math.log1p(most);
    return html("dl", { class: "bars" }, ...entries.map(([name, number]) => [
        html("dt", {}, name),
        html("dd", { class: "bar", "aria-hidden": "true" }, html("i", { style: `width: ${width(number)}%` })),
        html("dd", { class: "count" }, count(number)),
        why && why(name) ? html("dd", { class: "why faint" }, why(name)) : null]));
}

const rejectedTexts = {
    rules: "excluded by the rules of their spaces before anything was compiled",
    untried: "legal, but the search ended without them",
    slower: "right, but slower than the winner",
};

/* Which rules, the ones that exclude most first. */
function ruleList(problems) {
    const reasons = new Map();
    let exact = true;
    for (const space of problems.flatMap((problem) => (problem.detail || { spaces: [] }).spaces)) {
        exact = exact && space.exact;
        for (const [, reason, excluded] of space.rules) if (excluded > 0) reasons.set(reason, (reasons.get(reason) || 0) + excluded);
    }
    const sorted = [...reasons].sort((a, b) => b[1] - a[1]).slice(0, ruleRows);
    if (!sorted.length) return null;
    return html("details", { class: "rules", open: true }, html("summary", {}, `What the rules say${exact ? "" : " (numbers are estimates from a sample)"}`),
        html("ul", {}, ...sorted.map(([reason, excluded]) => html("li", {}, reason, " ", html("span", { class: "faint" }, count(Math.round(excluded)))))));
}

function rejectedBars(rejected, problems) {
    const entries = Object.entries(rejected).filter(([, number]) => number > 0);
    if (!entries.length) return html("p", { class: "faint" }, "No candidate was rejected.");
    return [bars(entries, (name) => rejectedTexts[name] || data.statuses[name]), ruleList(problems)];
}

/* ---- Candidates ---- */

function candidateRow(candidate, choose) {
    const row = html("tr", { class: "row", onclick: () => choose(candidate.name) },
        html("td", {}, html("code", {}, candidate.name)),
        html("td", { class: "number" }, seconds(candidate.seconds), candidate.spread > 0 && candidate.seconds > 0
            ? html("span", { class: "faint wide" }, ` ± ${percent(candidate.spread / candidate.seconds, 1)}`) : null),
        html("td", {}, html("strong", {}, candidate.verdict), candidate.reason ? html("div", { class: "faint" }, candidate.reason) : null));
    row.dataset.name = candidate.name;
    row.classList.toggle("chosen", candidate.name === view.candidate);
    return row;
}

function othersPart(problem) {
    const others = problem.detail.candidates.filter((candidate) => candidate.verdict === "does not answer");
    if (!others.length) return null;
    return html("details", { id: "others" }, html("summary", {}, `${others.length} further variants of ${problem.op} do not answer this problem`),
        html("ul", { class: "list" }, ...others.map((other) => html("li", {}, html("code", {}, other.name), " ", html("span", { class: "faint" }, other.reason)))));
}

function candidateTable(problem, choose) {
    const all = problem.detail.candidates.filter((candidate) => candidate.verdict !== "does not answer"), verdicts = [...new Set(all.map((candidate) => candidate.verdict))];
    const body = html("tbody"), more = html("button", { type: "button" });
    let wanted = "", limit = candidateRows;
    const list = () => {
        const listed = all.filter((candidate) => !wanted || candidate.verdict === wanted);
        show(body, ...listed.slice(0, limit).map((candidate) => candidateRow(candidate, choose)));
        more.hidden = listed.length <= limit;
        more.textContent = `Show all ${listed.length}`;
    };
    more.addEventListener("click", () => { limit = Infinity; list(); });
    list();
    return [
        html("div", { class: "controls" }, html("label", {}, "Show ", html("select", {
            id: "verdict", onchange: (event) => { wanted = event.target.value; limit = candidateRows; list(); } },
        html("option", { value: "" }, `all ${all.length}`),
        ...verdicts.map((verdict) => html("option", { value: verdict }, `${verdict} (${all.filter((candidate) => candidate.verdict === verdict).length})`))))),
        html("div", { class: "scroll", role: "region", "aria-label": "Table of candidates", tabindex: 0 }, html("table", { id: "candidates" },
            html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "Candidate"), html("th", { scope: "col", class: "number" }, "Time"), html("th", { scope: "col" }, "Verdict and reason"))), body)),
        html("p", {}, more),
        othersPart(problem),
        problem.detail.left_out ? html("p", { class: "faint" }, `${count(problem.detail.left_out)} more are in the records.`) : null,
    ];
}

/* ---- Spaces ---- */

function spaceRules(space) {
    if (!space.rules.length) return null;
    const about = space.exact ? "" : "about ";
    return html("details", {}, html("summary", {}, `${count(space.raw - space.legal)} of ${count(space.raw)} configs are excluded by ${space.rules.length} rules`),
        html("ul", { class: "list" }, ...[...space.rules].sort((a, b) => b[2] - a[2]).map(([kind, reason, excluded]) =>
            html("li", {}, reason, " ", html("span", { class: "faint" }, kind === "soft" ? "(discouraged, not excluded)" : `(${kind}; ${about}${count(Math.round(excluded))} first by this)`)))));
}

function spacePart(problem, choose) {
    const detail = problem.detail, of = (index) => detail.candidates.filter((candidate) => candidate.space === index);
    const used = detail.spaces.map((space, index) => index).sort((a, b) => of(b).length - of(a).length);
    if (!used.length) return [];
    const winner = detail.candidates.find((candidate) => candidate.verdict === "chosen");
    let index = detail.spaces.findIndex((space) => space.variant === view.variant);
    if (index < 0) index = winner && winner.space !== undefined ? winner.space : used[0];
    const space = detail.spaces[index], chart = html("div", { class: "scroll", role: "region", "aria-label": "Parallel coordinates", tabindex: 0 });
    const select = html("select", { id: "variant", onchange: (event) => { view.variant = event.target.value; view.candidate = ""; refreshProblem("variant"); } },
        ...used.map((at) => html("option", { value: detail.spaces[at].variant, selected: at === index }, `${detail.spaces[at].variant} (${of(at).length} of ${count(detail.spaces[at].legal)} known)`)));
    const draw = () => {
        if (of(index).length && space.tunables.length) drawSpace(chart, space, of(index), choose);
        else show(chart, html("p", { class: "note" }, of(index).length ? "This variant has nothing to tune." : "No candidate of this variant has been measured."));
    };
    return [
        html("h3", {}, "Its spaces"),
        html("div", { class: "controls" }, html("label", {}, "Variant ", select)),
        html("p", { class: "faint" }, space.numerics), chart,
        html("p", { class: "readout", id: "readout", "aria-live": "polite" }, readoutOf(problem)),
        spaceRules(space), draw];
}

function readoutOf(problem) {
    const candidate = problem.detail.candidates.find((each) => each.name === view.candidate);
    return candidate ? candidateTip(candidate).replace(/\n/g, " – ") : "Point at a line, or choose it, to see its config.";
}

/* ---- The section ---- */

function problemChooser() {
    const step = (by) => () => chooseProblem((view.problem + by + data.problems.length) % data.problems.length);
    return html("div", { class: "controls" },
        html("label", {}, "Problem ", html("select", { id: "problem", onchange: (event) => chooseProblem(Number(event.target.value)) },
            ...data.problems.map((problem, index) => html("option", { value: index, selected: index === view.problem }, `${index + 1}: ${shortName(problem)}`)))),
        html("button", { type: "button", id: "previous", onclick: step(-1) }, "Previous"),
        html("button", { type: "button", id: "next", onclick: step(1) }, "Next"));
}

function drawProblem(place) {
    const problem = data.problems[view.problem], winner = problem.detail && problem.detail.candidates.find((each) => each.verdict === "chosen");
    if (winner && !problem.detail.candidates.some((each) => each.name === view.candidate)) view.candidate = winner.name;
    const head = [problemChooser(), html("p", {}, html("code", {}, problem.problem))];
    if (!problem.detail) {
        show(place, ...head, html("p", { class: "note" }, "Its turn has not come yet."));
        return;
    }
    const choose = (name) => { view.candidate = view.candidate === name ? "" : name; markCandidate(place, problem); };
    const course = html("div", { class: "chart", id: "course" });
    const parts = spacePart(problem, choose), draw = parts.pop();
    show(place, ...head, chosenBox(problem),
        html("div", { class: "pair" },
            html("div", {}, html("h3", {}, "Its search"), course),
            html("div", {}, html("h3", {}, "Rejected, by reason"), rejectedBars(problem.rejected || countVerdicts(problem), [problem]))),
        ...parts,
        html("h3", {}, "Its candidates"), ...candidateTable(problem, choose));
    drawCourse(course, problem);
    if (draw) draw();
}

/* While a problem is in work its row does not count yet. */
function countVerdicts(problem) {
    const counts = {};
    for (const candidate of problem.detail.candidates)
        if (candidate.verdict !== "chosen" && candidate.samples !== undefined) counts[candidate.verdict] = (counts[candidate.verdict] || 0) + 1;
    return counts;
}

function markCandidate(place, problem) {
    for (const element of place.querySelectorAll("[data-name]")) element.classList.toggle("chosen", element.dataset.name === view.candidate);
    const readout = byId("readout");
    if (readout) readout.textContent = readoutOf(problem);
    remember();
}
