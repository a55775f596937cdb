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

export function show(place, ...children) {
  place.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

const KNOWN = new Set(
  "p ul ol li strong em s code blockquote br hr table thead tbody tr th td a pre".split(" "),
);

// Markdown as the service sends it: a text, or [name, children, address of a link].
export function tree(nodes) {
  return nodes.map((node) => {
    if (typeof node === "string") return document.createTextNode(node);
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

export function select(options, chosen, properties) {
  const made = options.map((one) => {
    const [value, text] = Array.isArray(one) ? one : [one, one];
    return h("option", { value, selected: value === chosen }, text);
  });
  return h("select", properties, made);
}
