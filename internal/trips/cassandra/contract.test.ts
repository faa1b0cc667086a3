import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { tripsContract } from "../contract.ts";
import { tripsKeyspace } from "./kit.ts";

const WRITER = fileURLToPath(new URL("./put-until-killed.ts", import.meta.url));

let space: Awaited<ReturnType<typeof tripsKeyspace>>;
beforeAll(async () => {
  space = await tripsKeyspace();
});
afterAll(() => space[Symbol.asyncDispose]());

tripsContract("cassandra", async () => {
  await space.empty();
  const trips = await space.open();
  onTestFinished(() => trips[Symbol.asyncDispose]());
  const reopened = async () => {
    await trips[Symbol.asyncDispose]();
    return space.open();
  };
  const writer = () =>
    spawn(process.execPath, [WRITER, JSON.stringify(space.options)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  return { trips, reopened, writer };
});
