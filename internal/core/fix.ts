/**
 * A fix: one position sample of one device. All hot-path fixes have exactly this shape;
 * what the device did not report is NaN, never undefined, so that objects keep one hidden class.
 */
export type Fix = {
  /** Number of the fix within its session, from 0, given at capture. Fits in 32 bits. */
  seq: number;
  /** Device clock at capture, milliseconds since 1970. */
  capturedAtMs: number;
  /** Degrees, −90…90, WGS 84. */
  latDeg: number;
  /** Degrees, −180…180, WGS 84. */
  lonDeg: number;
  /** Radius of the accuracy that the device admits to, metres, or NaN. */
  accuracyM: number;
  /** Speed over ground, metres per second, or NaN. */
  speedMps: number;
  /** Course over ground, degrees clockwise from north, 0…360, or NaN. */
  headingDeg: number;
  /** Height above the ellipsoid, metres, or NaN. */
  altitudeM: number;
  /** Where the position came from. */
  source: FixSource;
  /** True when the operating system says that the position was injected by a mock provider. */
  mock: boolean;
};

export const FIX_SOURCES = ["unknown", "gnss", "fused", "network"] as const;
export type FixSource = (typeof FIX_SOURCES)[number];

/** Fixes of one party and session that arrived together, stamped by the gateway. */
export type FixBatch = {
  party: Party;
  sessionId: string;
  /** Which session may move the marker: the largest wins (ties: the larger session id). */
  sessionEpoch: number;
  /** Gateway clock at receipt, milliseconds since 1970. Pipeline time comes from here. */
  receivedAtMs: number;
  /** Add to a device time to get server time: 0 while the device clock is within the dead band. */
  clockOffsetMs: number;
  fixes: Fix[];
};

/** In the order of their numbers in the contract, from 1; 0 is "not said". */
export const PARTY_KINDS = ["driver", "rider"] as const;
export type PartyKind = (typeof PARTY_KINDS)[number];

/** The kind with that number in the contract; undefined for 0 and for one that this build does not know. */
export function partyKindOf(number: number): PartyKind | undefined {
  return PARTY_KINDS[number - 1];
}

/** Who sends fixes. */
export type Party = { kind: PartyKind; id: string };

/** The party as one string, `driver/ID`: key of maps, input of the partition hash, part of subjects. */
export function partyKey(party: Party): string {
  return `${party.kind}/${party.id}`;
}

/** Inverse of {@link partyKey}. Throws a RangeError on anything else. */
export function parsePartyKey(key: string): Party {
  const slash = key.indexOf("/");
  const kind = PARTY_KINDS.find((candidate) => candidate === key.slice(0, slash));
  if (!kind || slash === key.length - 1) throw new RangeError("not a party key");
  return { kind, id: key.slice(slash + 1) };
}

/** What a device says of itself, on Hello and on change; unknown fields are undefined. */
export type DeviceState = {
  batteryPercent?: number;
  charging?: boolean;
  network?: "none" | "cellular" | "wifi";
  locationPermission?: "denied" | "while_in_use" | "always" | "approximate";
  gpsEnabled?: boolean;
  background?: boolean;
  airplaneMode?: boolean;
  powerSave?: boolean;
  mockLocation?: boolean;
};
