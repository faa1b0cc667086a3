import { revocationsContract } from "../contract.ts";
import { startNatsRevocations } from "./kit.ts";

revocationsContract("the revocations on NATS", startNatsRevocations);
