import type { TrackPoint } from "../../../gen/bimride/tracking/v1/history_pb.ts";

/** A format of track files: head, one piece per point, tail. Times are server time (device time plus offset), UTC. */
export type TrackFile = {
  extension: string;
  mediaType: string;
  head: (tripId: string) => string;
  point: (point: TrackPoint, first: boolean) => string;
  tail: string;
};

/** GeoJSON, RFC 7946: a FeatureCollection of points. */
export const geojsonFile: TrackFile = {
  extension: "geojson",
  mediaType: "application/geo+json",
  head: (tripId) => `{"type":"FeatureCollection","tripId":${JSON.stringify(tripId)},"features":[`,
  point: (point, first) => `${first ? "" : ","}\n${JSON.stringify(feature(point))}`,
  tail: "\n]}\n",
};

/** GPX 1.1: one track with one segment. Trip ids hold no character that XML would mind. */
export const gpxFile: TrackFile = {
  extension: "gpx",
  mediaType: "application/gpx+xml",
  head: (tripId) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="bimride" xmlns="http://www.topografix.com/GPX/1/1">\n<trk><name>${tripId}</name><trkseg>\n`,
  point: (point) => {
    const { latitudeDeg, longitudeDeg } = placeOf(point);
    const elevation = point.altitudeM === undefined ? "" : `<ele>${round(point.altitudeM, 2)}</ele>`;
    return `<trkpt lat="${latitudeDeg}" lon="${longitudeDeg}">${elevation}<time>${timeOf(point)}</time></trkpt>\n`;
  },
  tail: "</trkseg></trk>\n</gpx>\n",
};

const CSV_COLUMNS = [
  "time,session_id,seq,captured_at_ms,clock_offset_ms,received_at_ms,lat_deg,lon_deg,accuracy_m,speed_mps,heading_deg",
  "altitude_m,published_lat_deg,published_lon_deg,mock,late,outlier,superseded",
].join(",");

/** CSV, RFC 4180. No value needs quotes: numbers, times and session ids only. */
export const csvFile: TrackFile = {
  extension: "csv",
  mediaType: "text/csv; charset=utf-8; header=present",
  head: () => `${CSV_COLUMNS}\r\n`,
  point: (point) => `${csvValues(point).join(",")}\r\n`,
  tail: "",
};

function csvValues(point: TrackPoint): (string | number | bigint | boolean)[] {
  const { latitudeDeg, longitudeDeg } = placeOf(point);
  return [
    timeOf(point),
    point.sessionId,
    point.seq,
    point.capturedAtMs,
    point.clockOffsetMs,
    point.receivedAtMs,
    latitudeDeg,
    longitudeDeg,
    optional(point.accuracyM),
    optional(point.speedMps),
    optional(point.headingDeg),
    optional(point.altitudeM),
    point.published?.latitudeDeg ?? "",
    point.published?.longitudeDeg ?? "",
    point.mock,
    point.late,
    point.outlier,
    point.superseded,
  ];
}

function feature(point: TrackPoint): object {
  const { latitudeDeg, longitudeDeg } = placeOf(point);
  const place = [longitudeDeg, latitudeDeg];
  if (point.altitudeM !== undefined) place.push(round(point.altitudeM, 2));
  return {
    type: "Feature",
    geometry: { type: "Point", coordinates: place },
    properties: {
      time: timeOf(point),
      sessionId: point.sessionId,
      seq: point.seq,
      ...(point.accuracyM === undefined ? {} : { accuracyM: round(point.accuracyM, 2) }),
      ...(point.speedMps === undefined ? {} : { speedMps: round(point.speedMps, 2) }),
      ...(point.headingDeg === undefined ? {} : { headingDeg: round(point.headingDeg, 1) }),
      ...(point.late ? { late: true } : {}),
      ...(point.outlier ? { outlier: true } : {}),
    },
  };
}

function placeOf({ position }: TrackPoint): { latitudeDeg: number; longitudeDeg: number } {
  return position ?? { latitudeDeg: Number.NaN, longitudeDeg: Number.NaN };
}

function timeOf(point: TrackPoint): string {
  return new Date(Number(point.capturedAtMs + point.clockOffsetMs)).toISOString();
}

function optional(value: number | undefined): number | "" {
  return value === undefined ? "" : round(value, 3);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
