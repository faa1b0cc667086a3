/** What pages may ask the browser for: the driver page the place and a screen that stays on, nobody anything else. */
export const PERMISSIONS_POLICY =
  "geolocation=(self), screen-wake-lock=(self), camera=(), microphone=(), payment=(), usb=()";

/**
 * Content security policy of the pages: everything from this server, nothing inline, workers from files only. MapLibre
 * draws images that it made itself (`blob:`, `data:`), and takes style and tiles from `mapOrigins` where a deployment names
 * them.
 */
export function contentSecurityPolicy(mapOrigins: readonly string[]): Record<string, string[]> {
  const self = "'self'";
  return {
    "default-src": [self],
    "script-src": [self],
    "style-src": [self],
    "worker-src": [self],
    "connect-src": [self, ...mapOrigins],
    "img-src": [self, "data:", "blob:", ...mapOrigins],
    "font-src": [self],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'none'"],
  };
}
