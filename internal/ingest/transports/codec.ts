import { fromBinary, fromJson, type JsonValue, toBinary, toJsonString } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  PublishBatchRequestSchema,
  PublishBatchResponseSchema,
  PublishRequestSchema,
  PublishResponseSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { BimrideError } from "../../core/errors.ts";
import type {
  BatchAnswer,
  BatchInput,
  ClientMessage,
  HelloInput,
  ServerMessage,
  Undecodable,
} from "../messages.ts";
import { toBatchCall, toClientMessage } from "./client-messages.ts";
import { fromBatchAnswer, fromServerMessage } from "./server-messages.ts";

/** Field of PublishRequest and of PublishBatchRequest that holds the FixBatch: 2 in both; fields within FixBatch. */
const BATCH_FIELD = 2;
const FIXES_FIELD = 1;
const BATCH_ID_FIELD = 3;
/** Unknown fields are dropped: kept, each would cost an object. */
const BINARY_OPTIONS = { readUnknownFields: false };
const JSON_OPTIONS = { ignoreUnknownFields: true };

export type BatchCall = { hello: HelloInput; batch: BatchInput };

/** How the messages of a stream look on the wire. */
export type StreamCodec<Frame> = {
  /** Never throws: what is no message comes back as undecodable. */
  decode(frame: Frame): ClientMessage;
  encode(message: ServerMessage): Frame;
};

/** Protobuf. @param maxFixes more than these are refused before they become objects */
export function protobufCodec(maxFixes: number): StreamCodec<Uint8Array> {
  return {
    decode: (bytes) =>
      decoded(() => refusedForSize(bytes, maxFixes) ?? toClientMessage(readRequest(bytes)), undecodable),
    encode: (message) => toBinary(PublishResponseSchema, fromServerMessage(message)),
  };
}

/** The JSON form of protobuf; unknown fields are skipped. */
export function jsonCodec(maxFixes: number): StreamCodec<string> {
  const read = (text: string) => {
    const json = JSON.parse(text) as JsonValue;
    const refused = refusedForCount(json, maxFixes);
    return refused ?? toClientMessage(fromJson(PublishRequestSchema, json, JSON_OPTIONS));
  };
  return {
    decode: (text) => decoded(() => read(text), undecodable),
    encode: (message) => toJsonString(PublishResponseSchema, fromServerMessage(message)),
  };
}

/** A batch call from protobuf. Throws MESSAGE_INVALID, BATCH_EMPTY or BATCH_TOO_LARGE. */
export function decodeBatchCall(bytes: Uint8Array, maxFixes: number): BatchCall {
  return decoded(() => {
    const refused = refusedForSize(bytes, maxFixes);
    if (refused) throw refused.error;
    return toBatchCall(fromBinary(PublishBatchRequestSchema, bytes, BINARY_OPTIONS));
  }, rethrow);
}

/** A batch call from JSON. Throws MESSAGE_INVALID, BATCH_EMPTY or BATCH_TOO_LARGE. */
export function decodeJsonBatchCall(text: string, maxFixes: number): BatchCall {
  return decoded(() => {
    const json = JSON.parse(text) as JsonValue;
    const refused = refusedForCount(json, maxFixes);
    if (refused) throw refused.error;
    return toBatchCall(fromJson(PublishBatchRequestSchema, json, JSON_OPTIONS));
  }, rethrow);
}

/** The answer to a batch call in protobuf. */
export function encodeBatchAnswer(answer: BatchAnswer): Uint8Array {
  return toBinary(PublishBatchResponseSchema, fromBatchAnswer(answer));
}

/** The answer to a batch call in JSON. */
export function encodeJsonBatchAnswer(answer: BatchAnswer): string {
  return toJsonString(PublishBatchResponseSchema, fromBatchAnswer(answer));
}

function readRequest(bytes: Uint8Array) {
  return fromBinary(PublishRequestSchema, bytes, BINARY_OPTIONS);
}

/** What the protobuf library throws on bad input becomes MESSAGE_INVALID; its text stays hidden, it may quote input. */
function decoded<T>(decode: () => T, otherwise: (error: BimrideError) => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof BimrideError) return otherwise(error);
    return otherwise(new BimrideError("MESSAGE_INVALID", undefined, { cause: error }));
  }
}

function undecodable(error: BimrideError): Undecodable {
  return { kind: "undecodable", error, batchId: 0 };
}

function rethrow(error: BimrideError): never {
  throw error;
}

function tooManyFixes(maxFixes: number, batchId: number): Undecodable {
  const error = new BimrideError("BATCH_TOO_LARGE", `At most ${maxFixes} fixes.`, { field: "fixes" });
  return { kind: "undecodable", error, batchId };
}

/**
 * Counts the fixes by walking over their lengths. An empty fix takes two bytes on the wire and some hundred as an
 * object, so a message within its size limit could still cost a hundred times as much memory.
 */
function refusedForSize(bytes: Uint8Array, maxFixes: number): Undecodable | undefined {
  const reader = new BinaryReader(bytes);
  let fixes = 0;
  let batchId = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== BATCH_FIELD || wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, field);
      continue;
    }
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end) {
      const [innerField, innerType] = reader.tag();
      if (innerField === FIXES_FIELD) fixes++;
      if (innerField === BATCH_ID_FIELD && innerType === WireType.Varint) batchId = reader.uint32();
      else reader.skip(innerType, innerField);
    }
  }
  return fixes > maxFixes ? tooManyFixes(maxFixes, batchId) : undefined;
}

function refusedForCount(json: JsonValue, maxFixes: number): Undecodable | undefined {
  const batch = memberOf(json, "fixes");
  const fixes = memberOf(batch, "fixes");
  if (!Array.isArray(fixes) || fixes.length <= maxFixes) return undefined;
  const batchId = memberOf(batch, "batchId") ?? memberOf(batch, "batch_id");
  const isId = typeof batchId === "number" && Number.isInteger(batchId) && batchId >= 0 && batchId < 2 ** 32;
  return tooManyFixes(maxFixes, isId ? batchId : 0);
}

function memberOf(json: JsonValue | undefined, name: string): JsonValue | undefined {
  return typeof json === "object" && json !== null && !Array.isArray(json) ? json[name] : undefined;
}
