import { expect, test } from "vitest";
import { LinkLoss } from "./link-loss.ts";

test("an ask ends with its answer or with the connection, and is forgotten then", async () => {
  const loss = new LinkLoss();
  await expect(loss.orLost(Promise.resolve("here"))).resolves.toBe("here");
  await expect(loss.orLost(Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(loss.waiting).toBe(0);
  const open = [loss.orLost(new Promise(() => {})), loss.orLost(new Promise(() => {}))];
  const write = loss.written(new Promise(() => {}));
  expect(loss.waiting).toBe(3);
  loss.happened();
  expect(loss.waiting).toBe(0);
  for (const ask of open) await expect(ask).rejects.toThrow("the connection was lost");
  expect(await write).toMatchObject({ outcome: "unknown" });
  await expect(loss.orLost(Promise.resolve("again"))).resolves.toBe("again");
});
