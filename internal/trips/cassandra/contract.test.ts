import { onTestFinished } from "vitest";
import { tripsContract } from "../contract.ts";
import { tripsKeyspace } from "./kit.ts";

tripsContract("cassandra", async () => {
  const space = await tripsKeyspace();
  onTestFinished(space[Symbol.asyncDispose]);
  const trips = await space.open();
  const reopened = async () => {
    await trips[Symbol.asyncDispose]();
    return space.open();
  };
  return { trips, reopened };
});
