import { fixStoreContract } from "./contract.ts";
import { memoryStore } from "./memory-store.ts";

fixStoreContract("memory", async () => {
  const store = memoryStore();
  return { open: async () => store };
});
