import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PacketWalk } from "./packet-walk.ts";

/** A packet of so many bytes after its head. */
function packet(type: number, flags: number, length: number): Buffer {
  const head = [(type << 4) | flags];
  let rest = length;
  for (; rest > 127; rest >>= 7) head.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...head, rest]), Buffer.alloc(length, 0xab)]);
}

const PACKETS = fc.array(
  fc.record({ type: fc.nat(15), flags: fc.nat(15), length: fc.oneof(fc.nat(3), fc.nat(20_000)) }),
  { minLength: 1, maxLength: 20 },
);

describe("the walk from packet to packet", () => {
  test("finds every packet's head and end, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        PACKETS,
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1 }),
        (packets, cuts) => {
          const bytes = Buffer.concat(packets.map(({ type, flags, length }) => packet(type, flags, length)));
          const walk = new PacketWalk(20_000, 20_000);
          const found: { type: number; flags: number }[] = [];
          for (let start = 0, turn = 0; start < bytes.length; turn++) {
            const chunk = bytes.subarray(start, start + (cuts[turn % cuts.length] as number));
            for (let at = 0; at < chunk.length; ) {
              const step = walk.next(chunk, at);
              at = step.at;
              if (step.ended) found.push(step.ended);
            }
            start += chunk.length;
          }
          expect(found).toEqual(packets.map(({ type, flags }) => ({ type, flags })));
        },
      ),
    );
  });

  test("refuses a packet by its head, before any of its bytes", () => {
    const head = packet(3, 2, 20_001).subarray(0, 4);
    expect(() => new PacketWalk(20_000, 100).next(head, 0)).toThrow(
      expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }),
    );
    expect(() => new PacketWalk(20_000, 100).next(packet(1, 0, 101).subarray(0, 2), 0)).toThrow(
      expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }),
    );
    expect(() => new PacketWalk(20_000, 100).next(Buffer.alloc(6, 0xff), 0)).toThrow(
      expect.objectContaining({ code: "MESSAGE_INVALID" }),
    );
  });
});
