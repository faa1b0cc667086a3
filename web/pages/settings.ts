/** What the server tells its pages (GET /config.json). */
export type PageSettings = {
  /** URL of a MapLibre style; empty for the bundled streets of the demo city. */
  styleUrl: string;
  /** True where POST /demo/token hands out tokens. */
  demo: boolean;
  /** The server's heartbeat, milliseconds. */
  heartbeatMs: number;
  region: string;
};

const DEFAULTS: PageSettings = { styleUrl: "", demo: false, heartbeatMs: 15_000, region: "" };

/** Reads the settings; what is missing or of another type gets its default. Rejects when the server is away. */
export async function loadSettings(): Promise<PageSettings> {
  const response = await fetch("/config.json", { headers: { accept: "application/json" } });
  if (response.status === 404) return DEFAULTS;
  if (!response.ok) throw new Error(`config.json: status ${response.status}`);
  const given: unknown = await response.json();
  if (typeof given !== "object" || given === null) return DEFAULTS;
  const has = given as Record<string, unknown>;
  return {
    styleUrl: typeof has.styleUrl === "string" ? has.styleUrl : DEFAULTS.styleUrl,
    demo: has.demo === true,
    heartbeatMs: typeof has.heartbeatMs === "number" ? has.heartbeatMs : DEFAULTS.heartbeatMs,
    region: typeof has.region === "string" ? has.region : DEFAULTS.region,
  };
}

/** Tries again until the server answers. `onAway` is told once the first attempt failed. */
export async function loadSettingsPatiently(onAway: () => void): Promise<PageSettings> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await loadSettings();
    } catch {
      // Shown to the person by onAway; the wait is jittered so that pages do not come back all at once.
      onAway();
      const ceilingMs = Math.min(10_000, 500 * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, ceilingMs * (0.5 + Math.random() / 2)));
    }
  }
}
