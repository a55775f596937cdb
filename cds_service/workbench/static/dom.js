// Elements are built one by one; no text ever becomes markup.

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export const h = (tag, properties, ...children) =>
  filled(document.createElement(tag), properties, children);

const SVG = "http://www.w3.org/2000/svg";

export function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...children.flat(Infinity).filter(Boolean));
  return element;
}

export const at = (id) => document.getElementById(id);

// Shows `children` in `place`. The focus stays where it was: on what is called the same now, or else on
// the part of the page that it was in.
export function show(place, ...children) {
  const held = place.contains(document.activeElement) ? nameOfControl(document.activeElement) : null;
  const which = held && same(place, held).indexOf(document.activeElement);
  place.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (!held) return;
  const now = same(place, held);
  (now[which] ?? now.at(-1))?.focus({ preventScroll: true });
  if (document.activeElement === document.body) place.closest("[tabindex]")?.focus({ preventScroll: true });
}

const same = (place, held) => [...place.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]")].filter((one) => nameOfControl(one) === held);

// Who a control is, whatever it says at the moment.
function nameOfControl(one) {
  const numbered = /-\d+$/.test(one.id) ? "" : one.id;
  return [one.tagName, one.type ?? "", one.dataset.focus ?? (numbered || (one.labels?.[0]?.textContent ?? one.getAttribute("aria-label") ?? one.textContent))].join(" ");
}

const KNOWN = new Set(
  "p ul ol li strong em s code blockquote br hr table thead tbody tr th td a pre".split(" "),
);

// A number stays on one line with its unit.
export const unbroken = (text) => text.replace(/(\d) (?=(?:micrograms?|mg|g|mL|kg|[pn]g\/mL|[pµ]mol\/L)(?![\p{L}\d]))/gu, "$1\u00a0");

// Markdown as the service sends it: a text, or [name, children, address of a link].
export function tree(nodes) {
  return nodes.map((node) => {
    if (typeof node === "string") return document.createTextNode(unbroken(node));
    const [tag, children, address] = node;
    const heading = /^h[1-6]$/.test(tag);
    const element = document.createElement(heading ? "strong" : KNOWN.has(tag) ? tag : "span");
    if (tag === "a") outward(element, address);
    element.append(...tree(children));
    return element;
  });
}

// A link from a card: only to the web, and in a tab without access to this one.
export function outward(link, address) {
  if (/^https?:\/\//i.test(address ?? "")) {
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  return link;
}

export function say(text) {
  const said = at("said");
  said.textContent = "";
  requestAnimationFrame(() => (said.textContent = text));
}

let numbered = 0;
export const fresh = (name) => `${name}-${(numbered += 1)}`;

// A control with its label above it.
export function field(label, control, hint) {
  control.id ||= fresh("field");
  const id = hint ? fresh("hint") : "";
  if (hint) control.setAttribute("aria-describedby", id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control,
    hint && h("p", { class: "hint", id }, hint));
}

// Says next to a control why its value cannot be used; "" takes it back.
export function refuse(control, why) {
  const id = `${(control.id ||= fresh("field"))}-refused`;
  at(id)?.remove();
  const others = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((one) => one && one !== id);
  if (why) control.after(h("p", { class: "refused", id, role: "alert" }, why));
  control.toggleAttribute("aria-invalid", Boolean(why));
  if (why) control.setAttribute("aria-invalid", "true");
  const described = [...others, ...(why ? [id] : [])].join(" ");
  if (described) control.setAttribute("aria-describedby", described);
  else control.removeAttribute("aria-describedby");
}

// A name that someone wrote, in whatever direction it is read.
export const name = (text) => h("bdi", {}, text);

export function select(options, chosen, properties) {
  const made = options.map((one) => {
    const [value, text] = Array.isArray(one) ? one : [one, one];
    return h("option", { value, selected: value === chosen }, text);
  });
  return h("select", properties, made);
}
