import { create } from "@bufbuild/protobuf";
import {
  type DeviceState as DeviceStateMessage,
  DeviceStateSchema,
  LocationPermission,
  NetworkKind,
  type PartyKind,
  type Party as PartyMessage,
  PartySchema,
} from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import { type DeviceState, PARTY_KINDS, type Party, partyKindOf } from "../../core/fix.ts";

/** In the order of the enum's numbers, from 1; 0 is "not said". */
const NETWORKS = ["none", "cellular", "wifi"] as const;
const PERMISSIONS = ["denied", "while_in_use", "always", "approximate"] as const;

/** The party as a message. */
export function toPartyMessage(party: Party): PartyMessage {
  return create(PartySchema, { kind: (PARTY_KINDS.indexOf(party.kind) + 1) as PartyKind, id: party.id });
}

/** Inverse of {@link toPartyMessage}; throws a RangeError when there is none or its kind is unknown. */
export function fromPartyMessage(message: PartyMessage | undefined): Party {
  const kind = partyKindOf(message?.kind ?? 0);
  if (!message || !kind) throw new RangeError("a record without a known party");
  return { kind, id: message.id };
}

/** The device's state as a message; what is unknown stays absent. */
export function toDeviceStateMessage(state: DeviceState): DeviceStateMessage {
  const { network, locationPermission, ...flags } = state;
  return create(DeviceStateSchema, {
    ...flags,
    network: network ? ((NETWORKS.indexOf(network) + 1) as NetworkKind) : NetworkKind.UNSPECIFIED,
    locationPermission: locationPermission
      ? ((PERMISSIONS.indexOf(locationPermission) + 1) as LocationPermission)
      : LocationPermission.UNSPECIFIED,
  });
}

/** Inverse of {@link toDeviceStateMessage}: only what is known is there. */
export function fromDeviceStateMessage(message: DeviceStateMessage | undefined): DeviceState {
  const state: DeviceState = {};
  if (!message) return state;
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
