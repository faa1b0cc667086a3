/** A seeded source of randomness: the same seed gives the same numbers on every machine. Not for secrets. */
export type Random = {
  /** A number in [0, 1). */
  unit(): number;
  /** A number in [low, high). */
  between(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** Normal distribution, mean 0, standard deviation 1. */
  normal(): number;
  /** A waiting time with the given mean (exponential distribution); Infinity for Infinity. */
  waiting(mean: number): number;
  /** One of the items, which must not be none. */
  pick<T>(items: ArrayLike<T>): T;
};

/** A source of its own for each `name` under one seed, so that what one part draws does not shift what others draw. */
export function createRandom(seed: number, name: string): Random {
  let state = seed | 0;
  for (let i = 0; i < name.length; i++) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193);
  // mulberry32 by Tommy Ettinger, public domain.
  const unit = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    unit,
    between: (low, high) => low + unit() * (high - low),
    chance: (probability) => unit() < probability,
    normal: () => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit()),
    waiting: (mean) => (mean === Number.POSITIVE_INFINITY ? mean : -Math.log(1 - unit()) * mean),
    pick: (items) => items[Math.floor(unit() * items.length)]!,
  };
}
