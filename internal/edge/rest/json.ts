import { type DescMessage, fromJson, type JsonObject, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { FastifyReply } from "fastify";
import { BimrideError } from "../../core/errors.ts";

/** Answers with the message in its protobuf JSON form. */
export function sendMessage<Desc extends DescMessage>(
  reply: FastifyReply,
  schema: Desc,
  message: MessageShape<Desc>,
): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(JSON.stringify(toJson(schema, message)));
}

/**
 * The message that a JSON body holds, with what the path says put in. Unknown fields are refused: a misspelt one would
 * change something else than the caller thinks.
 * @throws MESSAGE_INVALID; FIELD_INVALID when body and path name different things
 */
export function messageOf<Desc extends DescMessage>(
  schema: Desc,
  body: unknown,
  path: Record<string, string> = {},
): MessageShape<Desc> {
  if (body !== undefined && body !== null && (typeof body !== "object" || Array.isArray(body))) {
    throw new BimrideError("MESSAGE_INVALID", "The body must be a JSON object.");
  }
  const given = (body ?? {}) as JsonObject;
  for (const [field, value] of Object.entries(path)) {
    if (given[field] !== undefined && given[field] !== value) {
      throw new BimrideError("FIELD_INVALID", "Body and path disagree.", { field });
    }
  }
  try {
    return fromJson(schema, { ...given, ...path });
  } catch (cause) {
    throw new BimrideError("MESSAGE_INVALID", undefined, { cause });
  }
}

type Query = Record<string, unknown>;

/** A query parameter; undefined when absent. Throws FIELD_INVALID when it is given twice. */
export function textParameter(query: unknown, name: string): string | undefined {
  const value = (query as Query)[name];
  if (value === undefined || typeof value === "string") return value;
  throw new BimrideError("FIELD_INVALID", "Give it once.", { field: name });
}

/** A whole number of 0…2^32 − 1; 0 when absent. Throws FIELD_INVALID. */
export function numberParameter(query: unknown, name: string): number {
  const text = textParameter(query, name) ?? "0";
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffff_ffff))
    throw new BimrideError("FIELD_INVALID", "Not a whole number.", { field: name });
  return value;
}

/** `true` or `false`; false when absent. Throws FIELD_INVALID. */
export function flagParameter(query: unknown, name: string): boolean {
  const text = textParameter(query, name) ?? "false";
  if (text !== "true" && text !== "false") {
    throw new BimrideError("FIELD_INVALID", "true or false.", { field: name });
  }
  return text === "true";
}

/** One of the choices; the first when absent. Throws FIELD_INVALID. */
export function choiceParameter<Choice extends string>(
  query: unknown,
  name: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const text = textParameter(query, name) ?? choices[0];
  const choice = choices.find((candidate) => candidate === text);
  if (!choice) throw new BimrideError("FIELD_INVALID", `One of ${choices.join(", ")}.`, { field: name });
  return choice;
}
