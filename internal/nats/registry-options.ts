import type { Clock } from "../core/time.ts";
import type { NatsLink } from "./link.ts";

/** What a registry of a region is opened with: processes that show in a bucket in the servers' memory that they live. */
export type NatsRegistryOptions = {
  /** Stays its owner's: the registry does not close it. */
  link: NatsLink;
  region: string;
  /** Servers of the cluster that hold a copy of the bucket. */
  replicas: number;
  clock: Clock;
  /** Told once per outage that the bucket can't be used, and of what else the registry names. */
  onError: (error: unknown) => void;
  /** In front of the bucket's name; for tests. Letters, digits and `_` only. */
  prefix?: string;
};
