import type {
  DeviceState as DeviceStateMessage,
  Fix as FixMessage,
  Party as PartyMessage,
} from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import type {
  FixBatch as FixBatchMessage,
  Hello as HelloMessage,
  PublishBatchRequest,
  PublishRequest,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { BimrideError } from "../../core/errors.ts";
import { type DeviceState, FIX_SOURCES, partyKindOf } from "../../core/fix.ts";
import { TRIP_ACTIONS } from "../../core/trip.ts";
import type { BatchInput, ClientMessage, FixInput, HelloInput } from "../messages.ts";

/** In the order of the enums' numbers, from 1; 0 is "not said". */
const NETWORKS = ["none", "cellular", "wifi"] as const;
const PERMISSIONS = ["denied", "while_in_use", "always", "approximate"] as const;

/** The message in core's types. Throws MESSAGE_INVALID when it is empty or of a kind that this build does not know. */
export function toClientMessage({ message }: PublishRequest): ClientMessage {
  switch (message.case) {
    case "hello":
      return { kind: "hello", ...toHello(message.value) };
    case "fixes":
      return { kind: "fixes", ...toBatch(message.value) };
    case "deviceState":
      return { kind: "deviceState", state: toDeviceState(message.value) };
    case "tokenRefresh":
      return { kind: "tokenRefresh", token: message.value.token };
    case "tripAction": {
      const { actionId, tripId, kind, waypointIndex } = message.value;
      return { kind: "tripAction", actionId, tripId, action: TRIP_ACTIONS[kind - 1], waypointIndex };
    }
    case "locationSharing": {
      const { actionId, tripId, granted } = message.value;
      return { kind: "locationSharing", actionId, tripId, granted };
    }
    default:
      throw new BimrideError("MESSAGE_INVALID", "The message is empty.");
  }
}

/** The parts of a batch call. Throws MESSAGE_INVALID without a hello, BATCH_EMPTY without fixes. */
export function toBatchCall({ hello, fixes }: PublishBatchRequest): { hello: HelloInput; batch: BatchInput } {
  if (!hello) throw new BimrideError("MESSAGE_INVALID", "The hello is missing.", { field: "hello" });
  if (!fixes) throw new BimrideError("BATCH_EMPTY", undefined, { field: "fixes" });
  return { hello: toHello(hello), batch: toBatch(fixes) };
}

function toHello(hello: HelloMessage): HelloInput {
  const { sessionId, deviceId, appVersion, lastRegion, position } = hello;
  return {
    sessionId,
    party: hello.party && toPartyName(hello.party),
    deviceId,
    appVersion,
    deviceTimeMs: Number(hello.deviceTimeMs),
    lastRegion,
    position: position && { latDeg: position.latitudeDeg, lonDeg: position.longitudeDeg },
    deviceState: hello.deviceState && toDeviceState(hello.deviceState),
  };
}

function toPartyName(party: PartyMessage): HelloInput["party"] {
  return { kind: partyKindOf(party.kind) ?? "", id: party.id };
}

function toBatch(batch: FixBatchMessage): BatchInput {
  return {
    fixes: batch.fixes.map(toFixInput),
    deviceTimeMs: Number(batch.deviceTimeMs),
    batchId: batch.batchId,
    assignmentVersion: Number(batch.assignmentVersion),
  };
}

function toFixInput(fix: FixMessage): FixInput {
  return {
    seq: fix.seq,
    capturedAtMs: Number(fix.capturedAtMs),
    latDeg: fix.position?.latitudeDeg,
    lonDeg: fix.position?.longitudeDeg,
    accuracyM: fix.accuracyM,
    speedMps: fix.speedMps,
    headingDeg: fix.headingDeg,
    altitudeM: fix.altitudeM,
    source: FIX_SOURCES[fix.source] ?? "unknown",
    mock: fix.mock,
  };
}

/** What is known of the device; absent and unknown values stay away. */
function toDeviceState(message: DeviceStateMessage): DeviceState {
  const state: DeviceState = {};
  if (message.batteryPercent !== undefined) state.batteryPercent = message.batteryPercent;
  if (message.charging !== undefined) state.charging = message.charging;
  const network = NETWORKS[message.network - 1];
  if (network) state.network = network;
  const permission = PERMISSIONS[message.locationPermission - 1];
  if (permission) state.locationPermission = permission;
  if (message.gpsEnabled !== undefined) state.gpsEnabled = message.gpsEnabled;
  if (message.background !== undefined) state.background = message.background;
  if (message.airplaneMode !== undefined) state.airplaneMode = message.airplaneMode;
  if (message.powerSave !== undefined) state.powerSave = message.powerSave;
  if (message.mockLocation !== undefined) state.mockLocation = message.mockLocation;
  return state;
}
