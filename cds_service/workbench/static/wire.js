// Every call the page makes goes through here and is kept, so that it can be looked at. Each ends:
// with an answer, refused, stopped, or after twenty seconds.

import { objects, text as textOf } from "./read.js";

const KEPT = 40;
const PATIENCE_MS = 20000;

export const exchanges = [];
let changed = () => {};
export const onExchange = (listener) => (changed = listener);

export class Refused extends Error {
  // `exchange` is what was sent and received, if anything was.
  constructor(text, exchange = null) {
    super(text);
    this.exchange = exchange;
  }
}

// `signal` stops the waiting.
export async function send(method, path, body, { title = "", signal } = {}) {
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  const exchange = { method, path, title, sent: body, began: new Date(), status: 0, received: null };
  if (method !== "GET") {
    exchanges.unshift(exchange);
    exchanges.length = Math.min(exchanges.length, KEPT);
  }
  const started = performance.now();
  const waiting = new AbortController();
  const patience = setTimeout(() => waiting.abort(), PATIENCE_MS);
  const stop = () => waiting.abort();
  signal?.addEventListener("abort", stop);
  try {
    signal?.throwIfAborted();
    const headers = text === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await fetch(path, { method, body: text, headers, signal: waiting.signal });
    exchange.status = answer.status;
    const received = await answer.text();
    try {
      exchange.received = received ? JSON.parse(received) : null;
    } catch {
      exchange.received = received;
      throw new Refused("The answer is not JSON.", exchange);
    }
    if (!answer.ok) throw new Refused(outcomeText(exchange.received) || `Status ${answer.status}`, exchange);
    return exchange.received;
  } catch (problem) {
    if (problem instanceof Refused) throw problem;
    exchange.failure = signal?.aborted ? "Stopped before there was an answer."
      : waiting.signal.aborted ? "No answer within 20 seconds." : "The service cannot be reached.";
    throw new Refused(exchange.failure, exchange);
  } finally {
    clearTimeout(patience);
    signal?.removeEventListener("abort", stop);
    exchange.ms = Math.round(performance.now() - started);
    changed();
  }
}

export const ask = (path, signal) => send("GET", path, undefined, { signal });

function outcomeText(outcome) {
  return objects(outcome?.issue)
    .map((one) => [textOf(one.details?.text), textOf(one.diagnostics)].filter(Boolean).join(" "))
    .join(" ");
}

// As a shell command that sends the same; a quote ends, is escaped, and begins again.
export function asCurl(exchange) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const address = new URL(exchange.path, location.href).href;
  if (exchange.sent === undefined) return `curl -s ${quoted(address)}`;
  const body = typeof exchange.sent === "string" ? exchange.sent : JSON.stringify(exchange.sent, null, 1);
  return `curl -s ${quoted(address)} \\\n  -H 'Content-Type: application/json' \\\n  --data-binary ${quoted(body)}`;
}
