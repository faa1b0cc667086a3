import { decodeStreets, type PackedStreets } from "../../demo/city/decode-streets.ts";
import streetsUrl from "../../demo/city/streets.json?url";
import type { Streets } from "./nearest-street.ts";

/** Loads the streets of the demo city: an asset of its own, so that the page stands before it. */
export async function loadStreets(): Promise<Streets> {
  const response = await fetch(streetsUrl);
  if (!response.ok) throw new Error(`streets: status ${response.status}`);
  const packed = (await response.json()) as PackedStreets;
  return { lines: decodeStreets(packed), bounds: packed.bounds, attribution: packed.attribution };
}
