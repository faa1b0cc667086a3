import { useEffect, useState } from "preact/hooks";
import type { Streets } from "../../map/nearest-street.ts";

/** The bundled streets once they are here; undefined before, where another style is used, and when they can't be had. */
export function useStreets(styleUrl: string): Streets | undefined {
  const [streets, setStreets] = useState<Streets>();
  useEffect(() => {
    if (styleUrl !== "") return;
    let left = false;
    import("../../map/city-streets.ts")
      .then((city) => city.loadStreets())
      .then((loaded) => {
        if (!left) setStreets(loaded);
      })
      .catch(() => {
        // Without streets the page says everything in words, and the map, if any, stays empty.
      });
    return () => {
      left = true;
    };
  }, [styleUrl]);
  return streets;
}
