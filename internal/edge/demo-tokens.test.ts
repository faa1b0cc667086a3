import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { tripOf } from "../live/kit.ts";
import { someTripId, startTestEdge, type TestEdge } from "./kit.ts";

const TRIP = someTripId(1);
const asked: unknown[] = [];
const demo = {
  mint: async (wanted: unknown) => {
    asked.push(wanted);
    return { token: "minted", expiresAtMs: 1 };
  },
};

/** Sends exactly these headers, Host included, which fetch would not. */
function send(
  test: TestEdge,
  method: string,
  path: string,
  headers: Record<string, string>,
  body = "",
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${test.url}${path}`, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("demo tokens", () => {
  it("go to this server's own pages: a rider's for a running trip, and the operator's", async () => {
    const trips = new Map([[TRIP, tripOf(TRIP)]]);
    await using test = await startTestEdge(trips, { demo });
    const headers = { origin: test.url, "sec-fetch-site": "same-origin", "content-type": "application/json" };
    const rider = await send(
      test,
      "POST",
      "/demo/token",
      headers,
      JSON.stringify({ role: "rider", tripId: TRIP }),
    );
    expect(rider).toEqual({ status: 200, text: '{"token":"minted","expiresAtMs":1}' });
    await send(test, "POST", "/demo/token", headers, JSON.stringify({ role: "driver", tripId: TRIP }));
    await send(test, "POST", "/demo/token", headers, '{"role":"ops"}');
    expect(asked).toEqual([
      { role: "rider", subject: "r1", ttlMs: 600_000 },
      { role: "driver", subject: "d1", ttlMs: 600_000 },
      { role: "ops", subject: "demo-ops", ttlMs: 600_000 },
    ]);
    const listed = await send(test, "GET", "/demo/trips", { "sec-fetch-site": "same-origin" });
    expect(JSON.parse(listed.text).trips).toMatchObject([{ tripId: TRIP, hasDriver: true }]);
    expect((await send(test, "POST", "/demo/trips", headers, "{}")).status).toBe(200);
  });

  it("refuse pages of other origins, names that were made to point here, and callers that say nothing", async () => {
    await using test = await startTestEdge(new Map([[TRIP, tripOf(TRIP)]]), { demo });
    const body = JSON.stringify({ role: "ops" });
    const type = { "content-type": "application/json" };
    const forbidden: Record<string, string>[] = [
      { ...type },
      { ...type, origin: "https://evil.example" },
      { ...type, origin: "null" },
      { ...type, origin: test.url, "sec-fetch-site": "cross-site" },
      { ...type, origin: test.url, "sec-fetch-site": "same-site" },
      { ...type, origin: "http://evil.example:8080", host: "evil.example:8080" },
      { ...type, origin: "http://127.0.0.1.evil.example", host: "127.0.0.1.evil.example" },
    ];
    for (const headers of forbidden) {
      const answer = await send(test, "POST", "/demo/token", headers, body);
      expect([headers, answer.status, JSON.parse(answer.text).code]).toEqual([
        headers,
        403,
        "ORIGIN_FORBIDDEN",
      ]);
    }
    expect((await send(test, "GET", "/demo/trips", { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await send(test, "GET", "/demo/trips", { host: "evil.example" })).status).toBe(403);
  });

  it("refuse other roles and trips that are not there", async () => {
    await using test = await startTestEdge(new Map([[TRIP, tripOf(TRIP)]]), { demo });
    const headers = { origin: test.url, "content-type": "application/json" };
    const code = async (body: unknown) =>
      JSON.parse((await send(test, "POST", "/demo/token", headers, JSON.stringify(body))).text).code;
    expect(await code({ role: "admin" })).toBe("FIELD_INVALID");
    expect(await code({ role: "support" })).toBe("FIELD_INVALID");
    expect(await code([])).toBe("FIELD_INVALID");
    expect(await code({ role: "rider" })).toBe("NOT_FOUND");
    expect(await code({ role: "rider", tripId: someTripId(2) })).toBe("NOT_FOUND");
    expect(await code({ role: "rider", tripId: { evil: 1 } })).toBe("NOT_FOUND");
  });

  it("do not exist outside demo mode", async () => {
    await using test = await startTestEdge(new Map());
    const answer = await send(
      test,
      "POST",
      "/demo/token",
      { origin: test.url, "content-type": "application/json" },
      "{}",
    );
    expect(answer.status).toBe(404);
  });
});
