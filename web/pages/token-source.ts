/** Where a page gets its tokens from. A token is kept in memory only: never in a URL, a cookie or a storage. */
export type TokenSource = () => Promise<string>;

/** What an embedding app may set before the page's script runs, e.g. a native app in its web view. */
type Host = { bimride?: { token?: TokenSource } };

/** A token for the asked role from the demo's own server (loopback only). Rejects when there is none. */
export function demoTokens(
  wanted: { role: "rider" | "driver"; tripId: string } | { role: "ops" },
): TokenSource {
  let last = "";
  return async () => {
    // A fresh token follows the one before, so that the page stays one sign-in.
    const follows: Record<string, string> = last === "" ? {} : { authorization: `Bearer ${last}` };
    const response = await fetch("/demo/token", {
      method: "POST",
      headers: { "content-type": "application/json", ...follows },
      body: JSON.stringify(wanted),
    });
    if (response.status === 404) throw new NoSuchTrip();
    if (!response.ok) throw new Error(`no demo token: status ${response.status}`);
    const body = (await response.json()) as { token?: unknown };
    if (typeof body.token !== "string") throw new Error("no demo token in the answer");
    last = body.token;
    return last;
  };
}

/** The demo knows no such trip. */
export class NoSuchTrip extends Error {}

/** Tokens of the embedding app (`window.bimride.token`); undefined when there is none. */
export function hostTokens(): TokenSource | undefined {
  const token = (globalThis as Host).bimride?.token;
  return typeof token === "function" ? () => Promise.resolve(token()) : undefined;
}
