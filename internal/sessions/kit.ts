import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import { RevocationView } from "./revocation-view.ts";
import type { Revocations } from "./revocations.ts";

/** For tests of others: revocations that outlast nothing. */
export function memoryRevocations(
  clock: Pick<Clock, "now">,
  limits: Pick<Limits, "maxRevocations">,
): Revocations {
  const view = new RevocationView(clock, limits, (error) => {
    throw error;
  });
  return {
    async revoke(revocation) {
      view.checkRoom();
      view.add(revocation);
    },
    isRevoked: (signedIn) => view.isRevoked(signedIn),
    watch: (listener) => view.watch(listener),
    async [Symbol.asyncDispose]() {},
  };
}
