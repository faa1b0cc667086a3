import {
  type GetTrackResponse,
  TrackFormat,
  type TrackView,
} from "../../../gen/bimride/tracking/v1/history_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import { getTrack, type RecordDeps } from "./get-track.ts";
import { csvFile, geojsonFile, gpxFile, type TrackFile } from "./track-files.ts";

/** Largest piece of a file. */
const MAX_CHUNK_BYTES = 64 << 10;
/** Points read from the store at a time. */
const PAGE = 1_000;

/** The file format of the wire's name. Throws FIELD_INVALID for numbers that name none. */
export function trackFileOf(format: TrackFormat): TrackFile {
  switch (format) {
    case TrackFormat.UNSPECIFIED:
    case TrackFormat.GEOJSON:
      return geojsonFile;
    case TrackFormat.GPX:
      return gpxFile;
    case TrackFormat.CSV:
      return csvFile;
    default:
      throw new BimrideError("FIELD_INVALID", "The format is not one of a track's.", { field: "format" });
  }
}

/**
 * The track as a file, in pieces of at most 64 KiB, read page by page as they are asked for. The first page is read
 * before this resolves, so that errors come before any byte.
 * @throws as getTrack does
 */
export async function exportTrack(
  deps: RecordDeps,
  principal: Principal,
  request: { tripId: string; view: TrackView },
  file: TrackFile,
): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const read = (token: string) => getTrack(deps, principal, { ...request, pageSize: PAGE, pageToken: token });
  const first = await read("");
  return pieces(inChunks(first, read, file, request.tripId));
}

async function* inChunks(
  first: GetTrackResponse,
  read: (token: string) => Promise<GetTrackResponse>,
  file: TrackFile,
  tripId: string,
): AsyncGenerator<string, void, undefined> {
  yield file.head(tripId);
  let none = true;
  for (let page = first; ; page = await read(page.nextPageToken)) {
    let text = "";
    for (const point of page.points) {
      text += file.point(point, none);
      none = false;
    }
    if (text) yield text;
    if (!page.nextPageToken) break;
  }
  if (file.tail) yield file.tail;
}

async function* pieces(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const text of texts) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += MAX_CHUNK_BYTES) yield bytes.subarray(at, at + MAX_CHUNK_BYTES);
  }
}
