import { nuid } from "@nats-io/transport-node";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { connectNats } from "../../nats/link.ts";
import { liveBusContract } from "../contract.ts";
import { openNatsBus } from "./bus.ts";

liveBusContract("NATS", async () => {
  const link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
  let errors = 0;
  const bus = await openNatsBus({
    link,
    region: "se1",
    prefix: `t${nuid.next()}_`,
    onError: () => errors++,
  });
  const close = bus[Symbol.asyncDispose].bind(bus);
  let closed = false;
  bus[Symbol.asyncDispose] = async () => {
    await close();
    if (!closed) await link.connection.flush();
    closed = true;
    await link[Symbol.asyncDispose]();
  };
  return {
    bus,
    // The server answers after it has delivered what was published before.
    settled: async () => {
      if (!closed) await link.connection.flush();
    },
    listenerErrors: () => errors,
  };
});
