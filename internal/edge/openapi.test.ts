import { expect, it } from "vitest";
import { startTestEdge } from "./kit.ts";
import { openApiDocument } from "./openapi.ts";

const mint = async () => ({ token: "", expiresAtMs: 0 });
/** Routes that another part brings with it. */
const INGEST = ["POST /v1/fixes", "GET /v1/ingest"];

it("describes every route of the server, and no other", async () => {
  await using test = await startTestEdge(new Map(), { demo: { mint, joinCode: "code" } });
  const own = test.edge.routes
    .filter(({ method, url }) => method !== "HEAD" && method !== "OPTIONS" && !url.startsWith("/bimride."))
    .map(({ method, url }) => `${method} ${url}`);
  const routes = new Set([...INGEST, ...own]);
  const described = Object.entries(openApiDocument.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const pattern = (route: string) => route.replace(/:id(\([^)]*\))?/, "{id}").replace("::", ":");
  expect([...routes].map(pattern).sort()).toEqual(described.sort());
});

it("is served, refers to nothing that is not there, and names every operation's errors", async () => {
  await using test = await startTestEdge(new Map());
  const served = await (await fetch(`${test.url}/openapi.json`)).json();
  expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument)));
  const references = JSON.stringify(served).match(/#\/components\/schemas\/\w+/g) ?? [];
  for (const reference of references) {
    expect(served.components.schemas).toHaveProperty(reference.slice("#/components/schemas/".length));
  }
});
