import type { Revocation, Revocations, SignedIn } from "../../sessions/revocations.ts";
import { EngineMap, type RouterOptions } from "./engine-map.ts";

/**
 * The revocations of several regions as one. A revocation is written to all regions, so that it outlives the loss of one,
 * and stands once one of them has it: every process watches all of them, and holds to whichever tells it first. A process
 * that is cut off from those which have it learns of it when it is cut off no more. Disposing it disposes the engines.
 */
export function routedRevocations(
  byRegion: ReadonlyMap<string, Revocations>,
  options: RouterOptions = {},
): Revocations {
  return new RoutedRevocations(new EngineMap(byRegion, options));
}

class RoutedRevocations implements Revocations {
  readonly #engines: EngineMap<Revocations>;

  constructor(engines: EngineMap<Revocations>) {
    this.#engines = engines;
  }

  /** Rejects when no region takes it. */
  async revoke(revocation: Revocation): Promise<void> {
    await this.#engines.answered((engine) => engine.revoke(revocation));
  }

  isRevoked(signedIn: SignedIn): boolean {
    return this.#engines.distinct.some((engine) => engine.isRevoked(signedIn));
  }

  watch(listener: (revocation: Revocation) => void): Disposable {
    const stack = new DisposableStack();
    for (const engine of this.#engines.distinct) stack.use(engine.watch(listener));
    return stack;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#engines.dispose();
  }
}
