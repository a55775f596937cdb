// Every call the page makes goes through here and is kept, so that it can be looked at.

const KEPT = 40;
const PATIENCE_MS = 20000;

export const exchanges = [];
let changed = () => {};
export const onExchange = (listener) => (changed = listener);

export class Refused extends Error {
  constructor(text, exchange) {
    super(text);
    this.exchange = exchange;
  }
}

export async function ask(path) {
  return send("GET", path);
}

// `kept: false` for what is not part of the conversation between an EHR and the service.
export async function send(method, path, body, { kept = true, title = "" } = {}) {
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  const exchange = { method, path, title, sent: body, began: new Date(), status: 0, received: null };
  if (kept && method !== "GET") {
    exchanges.unshift(exchange);
    exchanges.length = Math.min(exchanges.length, KEPT);
  }
  const started = performance.now();
  try {
    const answer = await fetch(path, {
      method,
      body: text,
      headers: text === undefined ? {} : { "Content-Type": "application/json" },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    exchange.status = answer.status;
    const received = await answer.text();
    exchange.ms = Math.round(performance.now() - started);
    try {
      exchange.received = received ? JSON.parse(received) : null;
    } catch {
      exchange.received = received;
      throw new Refused("The answer is not JSON.", exchange);
    }
    if (!answer.ok) throw new Refused(outcomeText(exchange.received) || `Status ${answer.status}`, exchange);
    return exchange.received;
  } catch (problem) {
    exchange.ms ??= Math.round(performance.now() - started);
    if (problem instanceof Refused) throw problem;
    exchange.failure =
      problem.name === "TimeoutError" ? "No answer within 20 seconds." : "The service cannot be reached.";
    throw new Refused(exchange.failure, exchange);
  } finally {
    if (kept) changed();
  }
}

function outcomeText(outcome) {
  return (outcome?.issue ?? [])
    .map((one) => [one.details?.text, one.diagnostics].filter(Boolean).join(" "))
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
