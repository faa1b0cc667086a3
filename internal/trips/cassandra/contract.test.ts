import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { tripsContract } from "../contract.ts";
import { tripsKeyspace } from "./kit.ts";

const WRITER = fileURLToPath(new URL("./put-until-killed.ts", import.meta.url));

tripsContract("cassandra", async () => {
  const space = await tripsKeyspace();
  onTestFinished(space[Symbol.asyncDispose]);
  const trips = await space.open();
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
