import type { FastifyPluginAsync } from "fastify";
import type { NodeContext } from "../context.ts";
import { openApiDocument } from "../openapi.ts";

type Needed = "clock" | "telemetry" | "readiness" | "events";

/** A check that takes longer counts as failed. */
const CHECK_TIMEOUT_MS = 2_000;

/** What machines ask: alive, ready, metrics, the description of the routes. Without a token, without anybody's data. */
export function healthRoutes(node: Pick<NodeContext, Needed>): FastifyPluginAsync {
  const document = JSON.stringify(openApiDocument);
  return async (server) => {
    server.get("/healthz", async () => ({ ok: true }));
    server.get("/readyz", async (_request, reply) => {
      const failing = await failingChecks(node);
      return reply.code(failing.length === 0 ? 200 : 503).send({ ready: failing.length === 0, failing });
    });
    server.get("/metrics", async (_request, reply) => {
      const { registry } = node.telemetry;
      return reply.type(registry.contentType).send(await registry.metrics());
    });
    server.get("/openapi.json", async (_request, reply) =>
      reply.type("application/json; charset=utf-8").send(document),
    );
  };
}

async function failingChecks({
  readiness,
  clock,
  events,
}: Pick<NodeContext, Needed>): Promise<{ name: string; reason: string }[]> {
  const outcomes = await Promise.all(
    readiness.map(async ({ name, check }) => {
      const { promise: late, resolve } = Promise.withResolvers<string>();
      const cancel = clock.after(CHECK_TIMEOUT_MS, () => resolve("no answer in time"));
      try {
        return { name, reason: await Promise.race([check(), late]) };
      } catch (error) {
        events.checkFailed(name, error);
        return { name, reason: "the check failed" };
      } finally {
        cancel();
      }
    }),
  );
  return outcomes.flatMap(({ name, reason }) => (reason === undefined ? [] : { name, reason }));
}
