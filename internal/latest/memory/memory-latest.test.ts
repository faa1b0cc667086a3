import { latestContract } from "../contract.ts";
import { MemoryLatest } from "./memory-latest.ts";

latestContract("memory", async (clock) => new MemoryLatest(clock));
