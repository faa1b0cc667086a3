export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/**
 * Looks until it is so.
 * @param what in the error's message
 * @returns milliseconds that it took; -1 when it did not come in time and `what` is undefined
 * @throws when it takes longer
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  patienceMs: number,
  what: string,
): Promise<number> {
  const startedAt = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAt > patienceMs)
      throw new Error(`waited ${patienceMs} ms in vain: ${what}`);
    await pause(20);
  }
  return performance.now() - startedAt;
}
