// A series over time as inline SVG, with the guideline's limits as bands and published curves behind it.

import { add, addMonths, age, between, written } from "./days.js";
import { fresh, h, s } from "./dom.js";

const shownValue = (point) => `${point.comparator}${point.value}`;

const AHEAD = 6; // months of what is planned

export const isNarrow = () => matchMedia("(max-width: 34rem)").matches;

// The axis of everything large: the age of a child whose day of birth, `born`, is known and before all
// results, otherwise dates.
export function axisOf(results, planned, on, born) {
  const days = [...results, on].sort();
  const ahead = [addMonths(on, AHEAD), planned.sort().at(-1) ?? on].sort()[0];
  const last = [days.at(-1), ahead].sort()[1];
  const aged = born !== "" && born <= days[0];
  const span = aged ? Math.max(between(born, last), 30) : Math.max(between(days[0], last), 60);
  const begin = aged ? born : add(last, -span);
  const [left, right] = MARGINS;
  const width = isNarrow() ? 380 : 480;
  const end = add(begin, span);
  const xs = (day) => left + 8 + ((width - left - right - 16) * between(begin, day)) / span;
  const anchored = (day, label, anchor) => [xs(day), label, anchor];
  const ticks = aged ? ages(begin, end).map(([day, label]) => anchored(day, label, "middle"))
    : [anchored(begin, written(begin), "start"), anchored(end, written(end), "end")];
  return { begin, end, aged, width, xs, ticks };
}

export const MARGINS = [44, 30, 14, 26]; // left, right, top, bottom

// What is large has the `axis` that it shares.
export function plot({ name, unit, points, bands, curves, source }, on, born, axis) {
  const large = Boolean(axis);
  const known = points.filter((one) => one.value !== null).sort((a, b) => a.day.localeCompare(b.day));
  const stepped = bands.some((one) => one.since);
  const [width, height] = large ? [axis.width, curves.length ? 230 : stepped ? 160 : 190] : [260, 104];
  const [left, right, top, bottom] = large ? MARGINS : [36, 10, 12, 20];
  const caption = h("figcaption", {}, h("strong", {}, name[0].toUpperCase() + name.slice(1)), " ",
    known.length ? latest(known, unit) : h("span", { class: "muted" }, "no result on record"));
  const figure = h("figure", { class: large ? "plot large" : "plot" }, caption);
  // one number without a limit says it all
  if (!large && (!known.length || (known.length < 2 && !bands.length))) return figure;

  const edges = bands.flatMap(edgesOf);
  const values = known.map((one) => Number(one.value));
  const days = [...known.map((one) => one.day), on].sort();
  const span = Math.max(between(days[0], days.at(-1)), 60);
  const begin = axis?.begin ?? add(days.at(-1), -span);
  const end = axis?.end ?? add(begin, span);
  const behind = axis?.aged ? curves.map((one) => ({ ...one, points: upTo(one.points, end) })) : [];
  const most = Math.max(...values, ...edges, ...behind.flatMap((one) => one.points.map(([, value]) => value))) * (behind.length ? 1.04 : 1.15) || 1;
  const least = (large && !stepped) || Math.min(...values) < most * 0.35 ? 0 : Math.min(...values, ...edges) * 0.85;
  const ys = (value) => top + (height - top - bottom) * (1 - (value - least) / (most - least));
  const xs = axis?.xs ?? ((day) => left + 8 + ((width - left - right - 16) * between(begin, day)) / span);

  const drawn = [];
  for (const band of bands.filter((one) => one.since)) drawn.push(...(band.since < end ? step(band) : []));
  const marked = new Set();
  for (const band of bands.filter((one) => !one.since)) {
    const high = ys(Math.min(band.below ?? most, most));
    const low = ys(Math.max(band.from ?? band.above ?? least, least));
    drawn.push(s("rect", { class: `band ${band.tone}`, x: left, y: high, width: width - left - right, height: Math.max(low - high, 0) }));
    for (const edge of edgesOf(band).filter((one) => !marked.has(one))) {
      marked.add(edge);
      drawn.push(s("line", { class: "limit", x1: left, x2: width - right, y1: ys(edge), y2: ys(edge) }));
      drawn.push(s("text", { class: "tick", x: left - 5, y: ys(edge) + 3.5, "text-anchor": "end" }, String(edge)));
    }
    if (low - high > 13) {
      drawn.push(s("text", { class: "band-name", x: left + 6, y: low - 4 }, band.label));
    }
  }
  for (const { label, points: course } of behind) {
    const [last, value] = course.at(-1);
    drawn.push(s("polyline", { class: label === "0" ? "curve median" : "curve", points: course.map(([day, at]) => `${xs(day)},${ys(at)}`).join(" ") }));
    drawn.push(s("text", { class: "tick", x: xs(last) + 4, y: ys(value) + 3.5 }, label));
  }
  if (behind.length) drawn.push(...[0, 5, 10, 15, 20].filter((one) => one < most).map((one) => s("text", { class: "tick", x: left - 5, y: ys(one) + 3.5, "text-anchor": "end" }, String(one))));
  drawn.push(s("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  drawn.push(s("line", { class: "today", x1: xs(on), x2: xs(on), y1: top, y2: height - bottom }));
  if (known.length > 1) {
    drawn.push(s("polyline", { class: "line", points: known.map((one) => `${xs(one.day)},${ys(one.value)}`).join(" ") }));
  }
  for (const [index, point] of known.entries()) {
    const title = told(point, unit, born, bands);
    drawn.push(s("circle", { class: point.preliminary ? "dot early" : "dot", "data-read": "", cx: xs(point.day), cy: ys(point.value), r: large ? 5 : 3.6 },
      s("title", {}, title)));
    if (large) {
      const next = known[index + 1]; // to which it must leave room
      const late = xs(point.day) > width - (behind.length ? 80 : 42) || (next && xs(next.day) - xs(point.day) < 50);
      drawn.push(s("text", { class: "value", x: xs(point.day) + (late ? -9 : 9), y: ys(point.value) - 7, "text-anchor": late ? "end" : "start" }, shownValue(point)));
    }
  }
  if (axis) drawn.push(...ticksOf(axis, height));
  else {
    const first = known.length ? known[0].day : on;
    if (xs(on) - xs(first) > 90) drawn.push(s("text", { class: "tick", x: xs(first), y: height - bottom + 14, "text-anchor": "start" }, written(first)));
    drawn.push(s("text", { class: "tick", x: width - right, y: height - bottom + 14, "text-anchor": "end" }, written(days.at(-1))));
  }
  const said = known.map((one) => `${shownValue(one)} ${unit} on ${written(one.day)}`).join("; ") || "no result";
  const limits = bands.map((one) => `${one.label} ${one.from === undefined ? "" : `from ${one.from} `}${sideOf(one)}${one.since ? ` from the age of ${age(born, one.since)}` : ""}`);
  figure.append(s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${name}: ${said}.${limits.length ? ` Limits in ${unit}: ${limits.join(", ")}.` : ""}` }, drawn));
  if (large && (known.length > 1 || stepped)) figure.append(reader(`Results of ${name}`, known.map((one) => told(one, unit, born, bands)), figure));
  if (behind.length) figure.append(h("p", { class: "hint" }, source));
  return figure;

  // A limit that holds for some ages, with its number where there is room.
  function step(band) {
    const [from, to] = [Math.max(xs(band.since), left), band.until && band.until < end ? xs(band.until) : width - right];
    const over = band.above !== undefined;
    const y = ys(over ? band.above : band.below);
    const [high, low] = over ? [ys(most), y] : [y, ys(least)];
    const words = `${band.label} ${sideOf(band)}`;
    return [
      s("rect", { class: `band ${band.tone}`, x: from, y: high, width: to - from, height: low - high }),
      s("line", { class: "limit", x1: from, x2: to, y1: y, y2: y }),
      to - from > Math.max(130, words.length * 6 + 10) ? s("text", { class: "tick", x: from + 5, y: low - 5 }, words)
        : to - from > 24 && s("text", { class: "tick", x: (from + to) / 2, y: over ? y - 5 : y + 13, "text-anchor": "middle" }, String(edgesOf(band)[0])),
    ].filter(Boolean);
  }
}

export const ticksOf = ({ ticks }, height) =>
  ticks.map(([x, label, anchor]) => s("text", { class: "tick", x, y: height - MARGINS[3] + 17, "text-anchor": anchor }, label));

const edgesOf = ({ from, above, below }) => [from, above, below].filter((one) => one !== undefined);
const sideOf = ({ above, below }) => (above !== undefined ? `above ${above}` : below !== undefined ? `below ${below}` : "");

// A result in words, with the age at which it was taken and the limit of that age.
function told(point, unit, born, bands) {
  const limit = bands.find(({ since, until }) => since && since <= point.day && !(until && until <= point.day));
  const at = born && !point.dated ? age(born, point.day) : "";
  return `${shownValue(point)} ${unit} on ${point.dated || written(point.day)}${at && `, at ${at}`}${limit ? ` (${limit.label} ${sideOf(limit)})` : ""}${point.preliminary ? ", preliminary" : ""}`;
}

// Reads one mark of a figure after the other: by keyboard, by touch, and that which is pointed at.
export function reader(label, sentences, figure) {
  const last = sentences.length - 1;
  const id = fresh("reader");
  const slider = h("input", { type: "range", id, min: "0", max: String(last), step: "1", value: String(last), "aria-label": label, "aria-valuetext": sentences[last] });
  const output = h("output", { for: id }, sentences[last]);
  if (last === 0) return h("div", { class: "reader" }, output);
  const marks = figure.querySelectorAll("[data-read]");
  const read = (index) => {
    slider.value = String(index);
    slider.setAttribute("aria-valuetext", sentences[index]);
    output.textContent = sentences[index];
    marks.forEach((mark, at) => mark.classList.toggle("read", at === index));
  };
  slider.addEventListener("input", () => read(Number(slider.value)));
  marks.forEach((mark, index) => mark.addEventListener("pointerenter", () => read(index)));
  return h("div", { class: "reader" }, slider, output);
}

// A curve up to a day, which may lie between two of its points.
function upTo(course, end) {
  const within = course.filter(([day]) => day <= end);
  const next = course[within.length];
  if (!next || !within.length) return within;
  const [day, value] = within.at(-1);
  const share = between(day, end) / between(day, next[0]);
  return [...within, [end, value + (next[1] - value) * share]];
}

// Marks of the axis: not more than there is room for, a whole number of months apart.
function ages(born, end) {
  const months = Math.floor(between(born, end) / 30.4);
  const step = [1, 2, 3, 6, 12, 24].find((one) => months / one <= (isNarrow() ? 6 : 9)) ?? 120;
  return Array.from({ length: Math.floor(months / step) + 1 }, (_, index) => index * step)
    .map((count) => [addMonths(born, count), count ? `${count} mo` : "birth"]);
}

function latest(known, unit) {
  const last = known.at(-1);
  const shown = `${shownValue(last)} ${unit}`;
  const sent = last.sent && last.sent !== shown ? h("span", { class: "muted" }, ` (sent as ${last.sent})`) : null;
  return h("span", { class: "newest" }, h("span", { class: "number" }, shown), sent,
    h("span", { class: "muted" }, ` ${written(last.day)}`));
}
