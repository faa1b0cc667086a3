import { eventLogContract } from "../contract.ts";
import { startNatsLogHarness } from "./kit.ts";

eventLogContract("the NATS log", startNatsLogHarness);
