import { Freshness } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { TripState } from "../../client/watcher.ts";
import { freshnessSentence, isOver, phaseHeadline } from "../words.ts";

/** What was last said to people who listen instead of look. */
export type Said = { phase: string; freshness: string; connection: string };

export const NOTHING_SAID: Said = { phase: "", freshness: "", connection: "" };

/**
 * What to say now, if anything: a new phase, a position that can't be relied on any more or can again, a connection
 * that is down, polls, or is back. Never a position: those change every few seconds. Pure.
 */
export function announcement(said: Said, state: TripState): { text: string; said: Said } {
  const parts: string[] = [];
  const next = { ...said };
  if (state.trip) {
    const phase = phaseHeadline(state.trip);
    if (phase !== said.phase) parts.push(`${phase}.`);
    next.phase = phase;
  }
  const offline = state.connection.transport === "offline";
  const freshness = freshnessToSay(said, state, offline);
  if (freshness !== said.freshness)
    parts.push(freshness !== "" ? freshness : state.position ? "The position is up to date again." : "");
  next.freshness = freshness;
  const connection = connectionWord(state);
  if (connection !== "" && said.connection !== "" && connection !== said.connection)
    parts.push(`${state.connection.text}.`);
  if (connection !== "") next.connection = connection;
  return { text: parts.filter(Boolean).join(" "), said: next };
}

/** A position that is a little late is nothing to be told, nor that it is still not to be relied on. */
function freshnessToSay(said: Said, { freshness, trip }: TripState, offline: boolean): string {
  if (isOver(trip)) return "";
  if (freshness.freshness === Freshness.DELAYED) return said.freshness;
  if (freshness.freshness === Freshness.UNSPECIFIED) return "";
  return freshnessSentence(freshness, offline) ?? "";
}

/** Streams of both kinds are the same to a listener; a moment of reconnecting is nothing to be told. */
function connectionWord({ connection }: TripState): string {
  if (connection.transport === "polling") return "polling";
  if (connection.transport !== "offline") return "live";
  return connection.reason === "unreachable" ? "down" : "";
}
