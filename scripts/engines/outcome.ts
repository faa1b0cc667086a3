/** What came of the search for one engine. `line` tells it in a line; what follows are details. */
export type Outcome = { readonly ready: boolean; readonly line: string };

/** It is here, or was put here. */
export function ready(line: string): Outcome {
  return { ready: true, line };
}

/** It is not here, and this is how to get it. */
export function missing(line: string): Outcome {
  return { ready: false, line };
}
