import { expect, test } from "vitest";
import { type Interfaces, lanAddresses } from "./lan-addresses.ts";
import { certificateHost, machineNames } from "./machine-names.ts";

const at = (address: string, more = {}) => ({
  ...{ address, netmask: "255.255.255.0", family: "IPv4", mac: "", internal: false, cidr: null },
  ...more,
});

test("addresses of real networks come first; loopback, IPv6 and what nobody assigned are none", () => {
  const interfaces = {
    lo: [at("127.0.0.1", { internal: true })],
    docker0: [at("172.17.0.1")],
    wlan0: [at("192.168.1.7"), at("fe80::1", { family: "IPv6", scopeid: 2 })],
    eth0: [at("10.0.0.4"), at("169.254.3.4")],
    eth1: undefined,
  } as unknown as Interfaces;
  expect(lanAddresses(interfaces)).toEqual(["192.168.1.7", "10.0.0.4", "172.17.0.1"]);
  expect(lanAddresses({})).toEqual([]);
});

test("a machine is known by its name, in one label also by multicast DNS", () => {
  expect(machineNames("Anna-Mac")).toEqual(["anna-mac", "anna-mac.local"]);
  expect(machineNames("anna.office.example.com")).toEqual(["anna.office.example.com"]);
  expect(machineNames("annas_laptop")).toEqual([]);
  expect(machineNames("10.0.0.4")).toEqual([]);
});

test("hosts of certificates are names and addresses", () => {
  expect(["Example.COM", "::1", "10.0.0.4"].map(certificateHost)).toEqual(["example.com", "::1", "10.0.0.4"]);
  for (const host of ["", ".", "a..b", "a_b", "-a", "1.2.3", "x".repeat(64), "é.example"])
    expect([host, certificateHost(host)]).toEqual([host, undefined]);
});
