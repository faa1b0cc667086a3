/** A library that is packed for npm. */
export type ClientPackage = {
  name: string;
  description: string;
  /** Exported path → source file. */
  entries: Record<string, string>;
  /** Packages that only some of the entries need: who uses those installs them. */
  optional: readonly string[];
};

/** The libraries of web/ that others install. */
export const CLIENT_PACKAGES: readonly ClientPackage[] = [
  {
    name: "bimride-watcher",
    description: "Watches Bimride trips: where the car is, from a browser or Node.",
    entries: { ".": "web/client/entry.ts" },
    optional: [],
  },
  {
    name: "bimride-driver",
    description: "Sends a driver's positions to Bimride and loses none of them, from a browser or Node.",
    entries: { ".": "web/driver-client/entry.ts", "./grpc": "web/driver-client/grpc/grpc.ts" },
    optional: ["@grpc/grpc-js"],
  },
];
