/** Types of MQTT 3.1.1 control packets, as far as they are told apart here. */
export const PACKET = { CONNECT: 1, PUBLISH: 3, PINGREQ: 12, DISCONNECT: 14 } as const;

/** First bytes of the packets that are written here, flags included. */
const PUBLISH_QOS_0 = 0x30;
const PUBACK = 0x40;
const PUBREC = 0x50;

/** A PUBLISH of QoS 0. */
export function publishPacket(topic: Buffer, payload: Uint8Array): Buffer {
  const length = 2 + topic.length + payload.length;
  const head = [PUBLISH_QOS_0, ...remainingLength(length), topic.length >> 8, topic.length & 0xff];
  return Buffer.concat([Buffer.from(head), topic, payload]);
}

/** The answer to a PUBLISH of QoS 1 (PUBACK) or 2 (PUBREC). */
export function publishAnswer(qos: 1 | 2, messageId: number): Buffer {
  return Buffer.from([qos === 1 ? PUBACK : PUBREC, 2, messageId >> 8, messageId & 0xff]);
}

/** Seven bits a byte, lowest first. */
function remainingLength(length: number): number[] {
  const bytes: number[] = [];
  for (let rest = length; ; rest >>= 7) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest & 127) | 128);
  }
}
