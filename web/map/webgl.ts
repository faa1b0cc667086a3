/** True where the browser can draw the map. `?map=off` is for those who prefer words. */
export function canDrawMap(): boolean {
  if (new URLSearchParams(location.search).get("map") === "off") return false;
  try {
    const canvas = document.createElement("canvas");
    return canvas.getContext("webgl2") !== null;
  } catch {
    // A browser that throws here can't draw either.
    return false;
  }
}
