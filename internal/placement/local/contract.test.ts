import { nodesContract, ONE_PROCESS } from "../contract.ts";
import { localNodes } from "./nodes.ts";

nodesContract(
  "the local nodes",
  async () => {
    const nodes = localNodes();
    return { open: async () => ({ nodes }), [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose]() };
  },
  ONE_PROCESS,
);
