const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The value of a W3C `traceparent` header when it is well formed, else the empty string. */
export function traceparentOf(header: unknown): string {
  return typeof header === "string" && TRACEPARENT.test(header) ? header : "";
}
