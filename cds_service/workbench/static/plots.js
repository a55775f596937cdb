// A series over time as inline SVG, with the guideline's limits as bands.

import { add, between, written } from "./days.js";
import { h, s } from "./dom.js";

const shownValue = (point) => `${point.comparator}${point.value}`;

export function plot({ name, unit, points, bands }, on, large) {
  const known = points.filter((one) => one.value !== null).sort((a, b) => a.day.localeCompare(b.day));
  const [width, height] = large ? [560, 210] : [260, 104];
  const [left, right, top, bottom] = large ? [44, 14, 14, 26] : [36, 10, 12, 20];
  const caption = h("figcaption", {}, h("strong", {}, name[0].toUpperCase() + name.slice(1)), " ",
    known.length ? latest(known, unit) : h("span", { class: "muted" }, "no result on record"));
  const figure = h("figure", { class: large ? "plot large" : "plot" }, caption);
  // one number without a limit says it all
  if (!large && (!known.length || (known.length < 2 && !bands.length))) return figure;

  const edges = bands.flatMap((one) => [one.from, one.below]).filter((one) => one !== undefined);
  const values = known.map((one) => Number(one.value));
  const most = Math.max(...values, ...edges) * 1.15 || 1;
  const least = large || Math.min(...values) < most * 0.35 ? 0 : Math.min(...values, ...edges) * 0.85;
  const ys = (value) => top + (height - top - bottom) * (1 - (value - least) / (most - least));
  const days = [...known.map((one) => one.day), on].sort();
  const span = Math.max(between(days[0], days.at(-1)), 60);
  const begin = add(days.at(-1), -span);
  const xs = (day) => left + 8 + ((width - left - right - 16) * between(begin, day)) / span;

  const drawn = [];
  for (const band of bands) {
    const high = ys(Math.min(band.below ?? most, most));
    const low = ys(Math.max(band.from ?? least, least));
    drawn.push(s("rect", { class: `band ${band.tone}`, x: left, y: high, width: width - left - right, height: Math.max(low - high, 0) }));
    for (const edge of [band.from, band.below].filter((one) => one !== undefined)) {
      drawn.push(s("line", { class: "limit", x1: left, x2: width - right, y1: ys(edge), y2: ys(edge) }));
      drawn.push(s("text", { class: "tick", x: left - 5, y: ys(edge) + 3.5, "text-anchor": "end" }, String(edge)));
    }
    if (low - high > 13) {
      drawn.push(s("text", { class: "band-name", x: left + 6, y: low - 4 }, band.label));
    }
  }
  drawn.push(s("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  drawn.push(s("line", { class: "today", x1: xs(on), x2: xs(on), y1: top, y2: height - bottom }));
  if (known.length > 1) {
    drawn.push(s("polyline", { class: "line", points: known.map((one) => `${xs(one.day)},${ys(one.value)}`).join(" ") }));
  }
  for (const point of known) {
    const title = `${shownValue(point)} ${unit} on ${point.dated || written(point.day)}${point.preliminary ? ", preliminary" : ""}`;
    drawn.push(s("circle", { class: point.preliminary ? "dot early" : "dot", cx: xs(point.day), cy: ys(point.value), r: large ? 5 : 3.6 },
      s("title", {}, title)));
    if (large) {
      const end = xs(point.day) > width - 80;
      drawn.push(s("text", { class: "value", x: xs(point.day) + (end ? -9 : 9), y: ys(point.value) - 7, "text-anchor": end ? "end" : "start" }, shownValue(point)));
    }
  }
  const anchor = height - bottom + (large ? 17 : 14);
  const first = known.length ? known[0].day : on;
  if (xs(on) - xs(first) > (large ? 120 : 90)) {
    drawn.push(s("text", { class: "tick", x: xs(first), y: anchor, "text-anchor": "start" }, written(first)));
  }
  drawn.push(s("text", { class: "tick", x: width - right, y: anchor, "text-anchor": "end" }, written(days.at(-1))));
  const said = known.map((one) => `${shownValue(one)} ${unit} on ${written(one.day)}`).join("; ") || "no result";
  const limits = bands.map((one) => `${one.label} ${one.from === undefined ? "" : `from ${one.from} `}${one.below === undefined ? "" : `below ${one.below}`}`);
  figure.append(s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${name}: ${said}.${limits.length ? ` Limits in ${unit}: ${limits.join(", ")}.` : ""}` }, drawn));
  return figure;
}

function latest(known, unit) {
  const last = known.at(-1);
  const shown = `${shownValue(last)} ${unit}`;
  const sent = last.sent && last.sent !== shown ? h("span", { class: "muted" }, ` (sent as ${last.sent})`) : null;
  return h("span", { class: "newest" }, h("span", { class: "number" }, shown), sent,
    h("span", { class: "muted" }, ` ${written(last.day)}`));
}
