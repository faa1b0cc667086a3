import { liveBusContract } from "../contract.ts";
import { MemoryBus } from "./memory-bus.ts";

liveBusContract("memory", async () => {
  let errors = 0;
  const bus = new MemoryBus(() => errors++);
  return { bus, settled: async () => {}, listenerErrors: () => errors };
});
