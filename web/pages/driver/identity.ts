import type { TokenSource } from "../token-source.ts";

/** Who drives: where tokens come from, and whether a trip can be asked for. */
export type Identity = { token: TokenSource; isGuest: boolean };
