import { nodesContract } from "../contract.ts";
import { startNatsNodes } from "./kit.ts";

nodesContract("the nodes on NATS", startNatsNodes);
