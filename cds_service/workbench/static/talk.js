// The conversation between EHR and service, as JSON and as curl.

import { h, say, show } from "./dom.js";
import { asCurl, exchanges } from "./wire.js";

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function showTalk(place) {
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.exchange));
  if (!exchanges.length) {
    show(place, h("p", { class: "empty" }, "Nothing yet."));
    return;
  }
  show(place, h("p", { class: "hint" }, "Newest first. Calls to /cds-services are what any EHR sends; /workbench/explain asks for the reasoning, or for another date than today."),
    exchanges.map((one, index) => exchangeOf(one, `${one.began.getTime()}-${exchanges.length - index}`, open)));
}

function exchangeOf(exchange, key, open) {
  const good = exchange.status >= 200 && exchange.status < 300;
  const body = h("div", { class: "exchange" });
  const details = h("details", { "data-exchange": exchange.path + exchange.began.getTime() },
    h("summary", {},
      h("span", { class: "method" }, exchange.method), " ", h("code", {}, exchange.path), " ",
      h("span", { class: good ? "status good" : "status bad" }, exchange.status ? String(exchange.status) : "no answer"), " ",
      h("span", { class: "muted" }, `${exchange.title ? `${exchange.title}, ` : ""}${exchange.ms ?? "…"} ms, ${time.format(exchange.began)}`)), body);
  const fill = () => {
    if (body.hasChildNodes()) return;
    body.append(
      h("div", { class: "bar" },
        copying("Copy as curl", () => asCurl(exchange)),
        copying("Copy the request", () => pretty(exchange.sent)),
        copying("Copy the answer", () => pretty(exchange.received))),
      h("div", { class: "json" },
        h("div", {}, h("h3", {}, "Sent"), block(exchange.sent, "What was sent")),
        h("div", {}, h("h3", {}, "Received"), block(exchange.received ?? exchange.failure, "What was received"))));
  };
  details.addEventListener("toggle", () => details.open && fill());
  if (open.has(exchange.path + exchange.began.getTime())) {
    details.open = true;
    fill();
  }
  return details;
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? null, null, 2));
const block = (value, label) => h("pre", { tabindex: "0", role: "group", "aria-label": label }, pretty(value));

function copying(label, text) {
  return h("button", { type: "button", class: "small", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text());
      say("Copied.");
    } catch {
      say("The browser does not allow copying here; select the text instead.");
    }
  } }, label);
}
