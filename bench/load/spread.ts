/** `count` of the items (all where they are fewer) that lie as far apart as can be: cars send in the order of their trips. */
export function spread<Item>(items: readonly Item[], count: number): Item[] {
  const taken = Math.min(count, items.length);
  return Array.from({ length: taken }, (_, i) => items[Math.floor((i * items.length) / taken)]!);
}
