import { expect, test } from "vitest";
import { isHostAndPort } from "./host-and-port.ts";

test.each([
  "localhost:1",
  "nats-1.example:65535",
  "nats.example.:4222",
  "nats_1:4222",
  "1and1.example:80",
  "10.0.0.255:9042",
  "[::1]:6379",
  "[::ffff:10.0.0.1]:6379",
  `${"a".repeat(63)}.example:1`,
])("%s is a host and a port", (text) => {
  expect(isHostAndPort(text)).toBe(true);
});

test.each([
  "",
  "host",
  "host:",
  ":4222",
  "host:0",
  "host:65536",
  "host:99999",
  "host:-1",
  "host:1.5",
  "...:4222",
  ".host:4222",
  "host..example:4222",
  "-host:4222",
  "host-:4222",
  "10.0.0.256:9042",
  "10.0.1:9042",
  "10.0.0.1.:9042",
  "host.1:9042",
  "[:::::]:6379",
  "[1::2::3]:6379",
  "::1:6379",
  "user:password@host:1",
  "nats://host:1",
  `${"a".repeat(64)}.example:1`,
  `${"a.".repeat(130)}example:1`,
])("%s is none", (text) => {
  expect(isHostAndPort(text)).toBe(false);
});
