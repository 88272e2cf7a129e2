/* The drawings: roofline, course of a search, all searches, a space as parallel coordinates. */

function frame(width, height, title, description, ...children) {
    return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title },
        svg("title", {}, title), svg("desc", {}, description), ...children);
}

function label(x, y, text, attributes) {
    return svg("text", Object.assign({ x, y, class: "faint" }, attributes), text);
}

/* Grid lines with their values along both axes. */
function axes(box, xTicks, yTicks, xText, yText) {
    const lines = xTicks.map(([at, text]) => [
        svg("line", { class: "grid", x1: at, x2: at, y1: box.top, y2: box.bottom }),
        label(at, box.bottom + 16, text, { "text-anchor": "middle" })]);
    lines.push(...yTicks.map(([at, text]) => [
        svg("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }),
        label(box.left - 6, at + 4, text, { "text-anchor": "end" })]));
    return lines.flat().concat(
        label((box.left + box.right) / 2, box.bottom + 34, xText, { "text-anchor": "middle" }),
        label(box.left, box.top - 10, yText, { "text-anchor": "start" }));
}

/* ---- Roofline ---- */

function rooflinePoints() {
    return data.problems.map((problem, index) => ({ problem, index, x: problem.operations / problem.bytes, y: problem.operations / timeOf(problem) }))
        .filter((point) => timeOf(point.problem) > 0 && point.x > 0 && point.y > 0);
}

/* Families of equal rates share a line. */
function roofs() {
    const groups = [];
    data.ceilings.families.forEach(([name, rate], index) => {
        const same = groups.find((group) => Math.abs(group.rate / rate - 1) < 0.01);
        if (same) same.name += ", " + name;
        else if (rate > 0) groups.push({ name, rate, index });
    });
    return groups.sort((a, b) => b.rate - a.rate);
}

function rooflineScales(points, box) {
    const { memory, cache } = data.ceilings, tops = roofs().map((roof) => roof.rate);
    const ridge = memory > 0 && tops.length ? Math.max(...tops) / memory : 1;
    const xs = points.map((point) => point.x).concat(ridge);
    const ys = points.map((point) => point.y).concat(tops);
    const low = Math.min(...xs) / 2, high = Math.max(...xs) * 3;
    if (memory > 0) ys.push(memory * low);
    return { x: logScale(low, high, box.left, box.right), y: logScale(Math.min(...ys) / 2, Math.max(...ys) * 2.5, box.bottom, box.top), cache };
}

function slope(rate, scales, top, className, text) {
    const from = Math.max(scales.x.low, scales.y.low / rate), to = Math.min(scales.x.high, top / rate);
    if (!(to > from)) return [];
    const x1 = scales.x(from), y1 = scales.y(rate * from), x2 = scales.x(to), y2 = scales.y(rate * to);
    const angle = Math.atan2(y2 - y1, x2 - x1) * 180 / Math.PI, at = 0.06;
    return [svg("path", { class: className, d: `M${x1},${y1}L${x2},${y2}` }),
        label(x1 + (x2 - x1) * at, y1 + (y2 - y1) * at - 6, text, { class: "faint halo", transform: `rotate(${angle} ${x1 + (x2 - x1) * at} ${y1 + (y2 - y1) * at})` })];
}

function rooflineTip(problem) {
    const share = problem.share > 0 ? `, ${percent(problem.share)} of its limit` : "";
    return `${shortName(problem)}\n${seconds(timeOf(problem))}${isMeasured(problem) ? "" : ", estimated"}${share}\n${operationsPerSecond(problem.operations / timeOf(problem))}` +
        `, ${bytesPerSecond(problem.bytes / timeOf(problem))}\n${problem.winner || (problem.detail && problem.detail.chosen) || ""}`;
}

function drawRoofline(place) {
    const width = place.clientWidth, height = width < 600 ? 330 : 430;
    const box = { left: 76, right: width - 10, top: 30, bottom: height - 44 };
    const points = rooflinePoints();
    if (!points.length) {
        show(place, html("p", { class: "note" }, "No problem with arithmetic has a time yet."));
        return;
    }
    const scales = rooflineScales(points, box), { memory, cache } = data.ceilings, tops = roofs();
    const parts = axes(box,
        logTicks(scales.x, width < 600 ? 5 : 9).map((tick) => [scales.x(tick), digits(tick)]),
        logTicks(scales.y, 9).map((tick) => [scales.y(tick), operationsPerSecond(tick)]),
        "operations per byte moved", "operations per second");
    const top = tops.length ? tops[0].rate : scales.y.high;
    if (memory > 0) parts.push(...slope(memory, scales, top, "roof", `memory ${bytesPerSecond(memory)}`));
    if (cache > 0) parts.push(...slope(cache, scales, top, "roof cache", `caches ${bytesPerSecond(cache)}`));
    tops.forEach((roof, index) => {
        /* Names of lines that lie close stand below their lines. */
        const y = scales.y(roof.rate), close = index > 0 && y - scales.y(tops[index - 1].rate) < 16, from = Math.max(box.left, scales.x(Math.max(scales.x.low, roof.rate / Math.max(cache, memory, 1))));
        parts.push(svg("path", { class: `roof top family-${roof.index}`, d: `M${from},${y}H${box.right}` }),
            width < 600 ? null : label(box.right, close ? y + 14 : y - 5, `${roof.name} ${operationsPerSecond(roof.rate)}`, { "text-anchor": "end", class: "faint halo" }));
    });
    const largest = Math.max(...points.map((point) => point.problem.weight * timeOf(point.problem)));
    const discs = points.map((point) => {
        const radius = 4 + (width < 600 ? 9 : 13) * Math.sqrt(point.problem.weight * timeOf(point.problem) / largest);
        const group = pickable(point.index, rooflineTip(point.problem), () => chooseProblem(point.index),
            svg("circle", { class: "disc", cx: scales.x(point.x), cy: scales.y(point.y), r: radius }));
        group.classList.add("family-" + familyIndex(point.problem));
        group.classList.toggle("estimated", !isMeasured(point.problem));
        group.classList.toggle("chosen", point.index === view.problem);
        return [radius, group];
    }).sort((a, b) => b[0] - a[0]).map(([, group]) => group);
    roving(discs);
    const left = data.problems.filter((problem) => timeOf(problem) > 0).length - points.length;
    show(place, 
        frame(width, height, "Roofline of all kernels", "Operations per second over operations per byte, both logarithmic; lines are the ceilings of the machine.", ...parts, ...discs),
        html("ul", { class: "legend" }, ...data.ceilings.families.map(([name, rate], index) =>
            html("li", { class: "family-" + index }, html("i"), `multiplies as ${name}: ${operationsPerSecond(rate)}`)),
        points.some((point) => !isMeasured(point.problem)) ? html("li", { class: "hollow" }, html("i"), "only estimated") : null,
        left ? html("li", {}, `without arithmetic, in the table only: ${left}`) : null));
}

/* ---- Searches ---- */

/* [number, best so far] at each step down. */
function bestSoFar(course) {
    const steps = [];
    for (const [number, time] of course)
        if (time && (!steps.length || time < steps[steps.length - 1][1])) steps.push([number, time]);
    return steps;
}

function stairs(steps, end, x, y) {
    let path = "";
    steps.forEach(([number, value], index) => { path += index ? `H${x(number)}V${y(value)}` : `M${x(number)},${y(value)}`; });
    return path + `H${x(end)}`;
}

function drawSearches(place) {
    const width = place.clientWidth, height = width < 600 ? 240 : 280;
    const box = { left: 46, right: width - 10, top: 30, bottom: height - 44 };
    const lines = data.problems.map((problem, index) => ({ problem, index, course: (problem.detail || {}).course || [] }))
        .map((line) => ({ ...line, steps: bestSoFar(line.course) })).filter((line) => line.steps.length);
    if (!lines.length) {
        show(place, html("p", { class: "note" }, "Nothing has been measured yet."));
        return;
    }
    const longest = Math.max(2, ...lines.map((line) => line.course[line.course.length - 1][0]));
    const worst = Math.min(20, Math.max(1.2, ...lines.map((line) => line.steps[0][1] / line.steps[line.steps.length - 1][1])));
    const x = logScale(1, longest, box.left, box.right), y = logScale(1, worst, box.bottom, box.top);
    const groups = lines.map((line) => {
        const least = line.steps[line.steps.length - 1][1], end = line.course[line.course.length - 1][0];
        const path = stairs(line.steps.map(([number, time]) => [number, Math.min(worst, time / least)]), end, x, y);
        const text = `${shortName(line.problem)}\n${line.steps.length} steps down in ${end} measurements\nfrom ${seconds(line.steps[0][1])} to ${seconds(least)}`;
        const group = pickable(line.index, text, () => chooseProblem(line.index), svg("path", { class: "trace", d: path }), svg("path", { class: "reach", d: path }));
        group.classList.toggle("chosen", line.index === view.problem);
        return group;
    });
    roving(groups);
    const front = groups.filter((group) => group.classList.contains("chosen"));
    show(place, frame(width, height, "Searches of all problems", "Best time so far over the number of measurements, one line for each problem.",
        ...axes(box, logTicks(x, 8).map((tick) => [x(tick), digits(tick)]), logTicks(y, 6).map((tick) => [y(tick), digits(tick) + "×"]),
            "measurements", "best so far / best"), ...groups, ...front));
}

function drawCourse(place, problem) {
    const course = problem.detail.course, times = course.filter(([, time]) => time).map(([, time]) => time);
    const width = place.clientWidth, height = 260, box = { left: 62, right: width - 10, top: 30, bottom: height - 44 };
    if (!times.length) {
        show(place, html("p", { class: "note" }, "No time has been measured for this problem."));
        return;
    }
    const last = Math.max(2, course[course.length - 1][0]), limit = problem.limit > 0 ? problem.limit : 0;
    const x = linearScale(1, last, box.left + 6, box.right - 6);
    const y = logScale(Math.min((limit || Infinity) / 1.3, Math.min(...times) / 1.1), Math.max(...times) * 1.1, box.bottom, box.top);
    const marks = course.map(([number, time, final]) => time
        ? svg("circle", { class: final ? "sample final" : "sample", cx: x(number), cy: y(time), r: 2.6 })
        : svg("path", { class: "cross", d: `M${x(number) - 3},${box.bottom - 8}l6,6m0,-6l-6,6` }));
    const steps = bestSoFar(course), ticks = [1, 0.25, 0.5, 0.75, 0].map((part) => Math.round(1 + (last - 1) * part));
    const parts = axes(box, [...new Set(ticks)].map((tick) => [x(tick), tick]), logTicks(y, 7).map((tick) => [y(tick), seconds(tick)]), "measurement", "time");
    if (limit) parts.push(svg("line", { class: "limit", x1: box.left, x2: box.right, y1: y(limit), y2: y(limit) }),
        label(box.right, y(limit) + 14, `limit ${seconds(limit)}`, { "text-anchor": "end", class: "faint halo" }));
    show(place, frame(width, height, "Course of the search", `${times.length} times measured; the line is the best so far.`, ...parts, ...marks,
        svg("g", { class: "chosen" }, svg("path", { class: "trace", d: stairs(steps, last, x, y) }))),
    html("ul", { class: "legend" }, html("li", {}, html("i"), "a look"),
        html("li", { style: "--c: var(--warm)" }, html("i"), "finals, side by side"),
        course.some(([, time]) => !time) ? html("li", { style: "--c: var(--bad)" }, html("i"), "failed") : null));
}

/* ---- A space ---- */

/* The nearer to the fastest, the stronger; at twice its time nothing is left of the colour. */
function speedStyle(time, times) {
    const part = Math.max(0, 1 - Math.log2(time / Math.min(...times)));
    return `--c: color-mix(in srgb, var(--accent) ${Math.round(100 * part)}%, var(--dot)); stroke-opacity: ${(0.35 + 0.5 * part).toFixed(2)}`;
}

function drawSpace(place, space, candidates, choose) {
    const axisCount = space.tunables.length + 1, width = Math.max(place.clientWidth, 60 + 78 * axisCount), height = 300;
    const box = { left: 34, right: width - 66, top: 44, bottom: height - 26 };
    const times = candidates.filter((candidate) => candidate.seconds > 0).map((candidate) => candidate.seconds);
    const across = linearScale(0, axisCount - 1, box.left, box.right);
    const time = times.length ? logScale(Math.min(...times), Math.max(...times) * 1.0001, box.top, box.bottom - 22) : () => box.top;
    const level = (tunable, index) => linearScale(0, Math.max(1, tunable.values.length - 1), box.bottom, box.top)(tunable.values.length > 1 ? index : 0.5);
    const parts = [];
    space.tunables.forEach((tunable, at) => {
        parts.push(svg("line", { class: "axis", x1: across(at), x2: across(at), y1: box.top, y2: box.bottom }),
            label(across(at), at % 2 ? 14 : 30, tunable.name, { "text-anchor": at ? "middle" : "start", class: "" }));
        const stride = Math.ceil(tunable.values.length / 12);
        tunable.values.forEach((value, index) => {
            if (index % stride === 0) parts.push(label(across(at) - 5, level(tunable, index) + 4, value, { "text-anchor": "end", class: "faint halo" }));
        });
    });
    parts.push(svg("line", { class: "axis", x1: box.right, x2: box.right, y1: box.top, y2: box.bottom }), label(box.right, 14, "time", { class: "", "text-anchor": "middle" }));
    if (times.length) parts.push(label(box.right + 6, box.top + 4, seconds(Math.min(...times))), label(box.right + 6, box.bottom - 18, seconds(Math.max(...times))));
    if (candidates.some((candidate) => !candidate.seconds)) parts.push(label(box.right + 6, box.bottom + 4, "failed"));
    const groups = candidates.map((candidate, index) => {
        /* Configs that share values lie beside each other. */
        const shift = (index / Math.max(1, candidates.length - 1) - 0.5) * 7;
        const points = space.tunables.map((tunable, at) => [across(at), level(tunable, candidate.at[at]) + shift]);
        points.push([box.right, candidate.seconds > 0 ? time(candidate.seconds) : box.bottom]);
        const path = "M" + points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join("L");
        const group = pickable(candidate.name, candidateTip(candidate), () => choose(candidate.name),
            svg("path", { class: "trace", d: path, style: candidate.seconds > 0 ? speedStyle(candidate.seconds, times) : null }), svg("path", { class: "reach", d: path }));
        group.classList.toggle("failed", !candidate.seconds);
        group.classList.toggle("chosen", candidate.name === view.candidate);
        return group;
    });
    if (groups.length) roving(groups);
    const front = groups.filter((group) => group.classList.contains("chosen"));
    show(place, frame(width, height, `Configs of ${space.variant}`, "Parallel coordinates: an axis for each tunable, the last one is time, fastest on top.",
        ...groups, ...front, ...parts));
}

function candidateTip(candidate) {
    const time = candidate.seconds > 0 ? seconds(candidate.seconds) + ", " : "";
    return `${candidate.name}\n${time}${candidate.verdict}${candidate.reason ? ": " + candidate.reason : ""}`;
}
