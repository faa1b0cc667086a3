import { connect } from "mqtt";
import { fixesBytes, type OpenLink, sessionIdOf } from "./link.ts";

const KEEPALIVE_S = 30;

/** A stock MQTT client; a fix is acked by its PUBACK. */
export const openMqttLink: OpenLink = ({ address, id, token }, events) => {
  const client = connect(`mqtt://${address}`, {
    ...{ clientId: sessionIdOf(id), username: "driver", password: token },
    ...{ keepalive: KEEPALIVE_S, reconnectPeriod: 0, protocolVersion: 4, reschedulePings: false },
  });
  client.on("connect", () => events.opened());
  client.on("packetreceive", ({ cmd }) => {
    if (cmd === "pingresp") events.beat();
  });
  client.on("error", () => {}); // a close follows
  client.on("close", () => events.closed());
  return {
    send(seqs) {
      client.publish(`v1/driver/${id}/fixes`, Buffer.from(fixesBytes(seqs)), { qos: 1 }, (error) => {
        if (!error) events.acked([...seqs]);
      });
    },
    close: () => client.end(true),
  };
};
