import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { buffer } from "node:stream/consumers";
import type { ClientTrust } from "../internal/core/tls.ts";
import { requestTrust } from "./client-trust.ts";

/** Reads over HTTPS as `fetch` does, which can't be told what to believe. @param trust asked anew for each call */
export function trustingFetch(trust: () => ClientTrust): (url: URL, init: RequestInit) => Promise<Response> {
  return async (url, { headers, signal }) => {
    const sent = request(url, {
      headers: headers as Record<string, string>,
      ...(signal ? { signal } : {}),
      ...requestTrust(trust()),
    });
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return new Response(new Uint8Array(await buffer(response)), { status: response.statusCode ?? 500 });
  };
}
