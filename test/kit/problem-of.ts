import { expect } from "vitest";

/**
 * The message of the EngineError that connecting rejects with, one line long.
 * @param withinMs fails when it takes longer
 */
export async function problemOf(connecting: Promise<AsyncDisposable>, withinMs: number): Promise<string> {
  const startMs = performance.now();
  try {
    await (await connecting)[Symbol.asyncDispose]();
  } catch (error) {
    expect(performance.now() - startMs).toBeLessThan(withinMs);
    expect(error).toMatchObject({ name: "EngineError" });
    const { message } = error as Error;
    expect(message).not.toContain("\n");
    return message;
  }
  return expect.unreachable("it connected");
}
