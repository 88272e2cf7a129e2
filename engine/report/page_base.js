/* What the parts of the page share: making elements (always with text, never with markup from data), numbers for people,
 * scales, the tooltip, and groups of which one member is in the order of the tab key. */

const data = JSON.parse(document.getElementById("data").textContent);

/* What is looked at; kept in the address, so that it survives loading the page again. */
const view = { problem: -1, variant: "", candidate: "", paused: false };

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat())
        if (child !== null && child !== undefined) element.append(child);
    return element;
}

function html(name, attributes, ...children) {
    return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function byId(id) {
    return document.getElementById(id);
}

/* The children of a place, in the place of those that it had. */
function show(place, ...children) {
    place.replaceChildren();
    return fill(place, {}, children);
}

/* ---- Numbers ---- */

function digits(value, places) {
    return Number(value.toPrecision(places || 3)).toLocaleString("en", { maximumFractionDigits: 12, useGrouping: false });
}

function scaled(value, units, step) {
    let unit = 0;
    while (unit + 1 < units.length && Math.abs(value) >= step * 0.9995) {
        value /= step;
        unit++;
    }
    return digits(value) + " " + units[unit];
}

function seconds(value) {
    if (!(value > 0)) return "–";
    if (value >= 120) return Math.floor(value / 60) + " min " + Math.round(value % 60) + " s";
    return value >= 1 ? digits(value) + " s" : scaled(value * 1e9, ["ns", "µs", "ms"], 1000);
}

function byteText(value) {
    return scaled(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
}

function bytesPerSecond(value) {
    return scaled(value, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"], 1000);
}

function operationsPerSecond(value) {
    return scaled(value, ["op/s", "kop/s", "Mop/s", "Gop/s", "Top/s"], 1000);
}

function count(value) {
    return value >= 1e7 ? scaled(value, ["", "thousand", "million", "billion", "trillion"], 1000) : value.toLocaleString("en");
}

function percent(value, places) {
    return value > 0 ? (100 * value).toFixed(places || 0) + " %" : "–";
}

/* ---- Scales ---- */

function logScale(low, high, from, to) {
    const a = Math.log(low), span = Math.log(high) - a || 1;
    const scale = (value) => from + (to - from) * (Math.log(value) - a) / span;
    scale.low = low;
    scale.high = high;
    return scale;
}

function linearScale(low, high, from, to) {
    return (value) => from + (to - from) * (high > low ? (value - low) / (high - low) : 0.5);
}

/* 1, 10, 100 ...; where the range is short 1, 2, 5, 10 ...; of these at most `most`. */
function logTicks(scale, most) {
    const ticks = [], decades = Math.log10(scale.high / scale.low);
    const steps = decades < 0.7 ? [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9] : decades < 2.5 ? [1, 2, 5] : [1];
    for (let power = Math.floor(Math.log10(scale.low)); power <= Math.ceil(Math.log10(scale.high)); power++)
        for (const step of steps) {
            const value = step * 10 ** power;
            if (value >= scale.low * 0.9999 && value <= scale.high * 1.0001) ticks.push(value);
        }
    const stride = Math.ceil(ticks.length / most);
    return ticks.filter((tick, index) => index % stride === 0);
}

/* ---- Tooltip ---- */

function showTip(text, x, y) {
    const tip = byId("tip");
    tip.textContent = text;
    tip.hidden = false;
    const width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(x + 14, document.documentElement.clientWidth - width - 4)) + "px";
    tip.style.top = (y + 18 + height > window.innerHeight ? Math.max(4, y - height - 12) : y + 18) + "px";
}

function hideTip() {
    byId("tip").hidden = true;
}

/* A part of a drawing that tells what it is and can be chosen, by pointer and by keyboard. */
function pickable(name, text, choose, ...children) {
    const group = svg("g", {
        class: "pick", role: "button", tabindex: -1, "aria-label": text.replace(/\n/g, ", "),
        onpointermove: (event) => showTip(text, event.clientX, event.clientY),
        onpointerleave: hideTip,
        onblur: hideTip,
        onclick: choose,
        onfocus: () => {
            if (!group.matches(":focus-visible")) return;
            const box = group.getBoundingClientRect();
            showTip(text, box.left + box.width / 2, box.top + Math.min(box.height, 40));
        },
        onkeydown: (event) => {
            if (event.key !== "Enter" && event.key !== " ") return;
            event.preventDefault();
            choose();
        },
    }, ...children);
    group.dataset.name = name;
    return group;
}

/* One of the members can be tabbed to; arrows go from one to the next. */
function roving(members) {
    let current = Math.max(0, members.findIndex((member) => member.classList.contains("chosen")));
    members.forEach((member, index) => {
        member.setAttribute("tabindex", index === current ? 0 : -1);
        member.addEventListener("keydown", (event) => {
            const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
            if (!step) return;
            event.preventDefault();
            members[index].setAttribute("tabindex", -1);
            current = (index + step + members.length) % members.length;
            members[current].setAttribute("tabindex", 0);
            members[current].focus();
        });
    });
}

/* ---- Problems ---- */

/* What is known of a problem so far: the run's row, or while it is in work what the records lead to. */
function timeOf(problem) {
    return problem.seconds || (problem.detail ? problem.detail.seconds : 0) || 0;
}

function isMeasured(problem) {
    const basis = problem.basis || (problem.detail && problem.detail.basis);
    return timeOf(problem) > 0 && (basis === "explored" || basis === "final");
}

function shortName(problem) {
    return problem.op + ", " + (problem.rows === 1 ? "1 row" : "≤ " + count(problem.rows) + " rows");
}

function familyIndex(problem) {
    return Math.max(0, data.ceilings.families.findIndex((family) => family[0] === problem.family));
}
