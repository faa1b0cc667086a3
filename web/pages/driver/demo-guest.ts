/**
 * The demo's way in for phones of the same network (docs/API.md, "Demo"): a code that the server's terminal shows becomes a
 * driver, a driver may ask for a trip of its own. The one place that knows these routes.
 */

/** A phone that joined. The secret gets further tokens, as long as the server runs. */
export type Guest = { driverId: string; refresh: string };

/** The code, or the secret, is not one of this start of the server. */
export class NotInvited extends Error {}

/** Kept for the tab, so that a reload goes on as the same driver: no token, and good for this demo's trips only. */
const STORAGE_KEY = "bimride-demo-guest";

/** The guest that this tab is already; undefined when it is none. */
export function rememberedGuest(): Guest | undefined {
  try {
    const guest: Partial<Guest> | null = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null");
    return guest?.driverId && guest.refresh
      ? { driverId: guest.driverId, refresh: guest.refresh }
      : undefined;
  } catch {
    // No storage, or something else in it.
    return undefined;
  }
}

/** Joins with the code. Rejects with NotInvited, or when the server can't be reached. */
export async function joinDemo(code: string): Promise<Guest> {
  const { driverId, refresh } = await post("/demo/join", { code });
  const guest = { driverId: String(driverId), refresh: String(refresh) };
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(guest));
  } catch {
    // Without a storage a reload has to join again.
  }
  return guest;
}

/** Tokens of the guest's driver. */
export function guestTokens({ refresh }: Guest): () => Promise<string> {
  return async () => {
    try {
      return String((await post("/demo/refresh", { refresh })).token);
    } catch (error) {
      if (error instanceof NotInvited) forgetGuest();
      throw error;
    }
  };
}

/** A trip for this driver from here to a place some minutes' walk away. It comes down the stream like any other. */
export async function askForTrip(token: string, position: { latDeg: number; lonDeg: number }): Promise<void> {
  const { latDeg, lonDeg } = position;
  await post("/demo/trip", { position: { latitudeDeg: latDeg, longitudeDeg: lonDeg } }, token);
}

function forgetGuest(): void {
  try {
    sessionStorage.removeItem(STORAGE_KEY);
  } catch {
    // There was none.
  }
}

async function post(path: string, body: object, token?: string): Promise<Record<string, unknown>> {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(body),
  });
  if (response.status === 401 || response.status === 404) throw new NotInvited();
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}
