/** What the address of the page brought with it, behind its `#`. */
export type Invitation = { joinCode: string } | { tripId: string } | undefined;

/** Reads the invitation and removes it from the address, so that it is in no history and on no screenshot. */
export function takeInvitation(): Invitation {
  const named = new URLSearchParams(location.hash.slice(1));
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  const joinCode = named.get("join");
  if (joinCode) return { joinCode };
  const tripId = named.get("trip");
  return tripId ? { tripId } : undefined;
}
