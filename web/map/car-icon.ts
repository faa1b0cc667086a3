const SVG = "http://www.w3.org/2000/svg";

/** Outline of a car seen from above, nose up, in a box of 40 × 40. */
const BODY =
  "M20 4.500c4.600 0 6.900 2.100 7.500 6.300l1.300 12.700c.7 7.300-2.100 12-8.800 12s-9.500-4.700-8.800-12l1.300-12.700c.6-4.200 2.900-6.300 7.500-6.300z";
const SCREEN =
  "M13.900 15.400c1.800-1.100 3.900-1.600 6.100-1.600s4.300.5 6.100 1.600l-.9 4.300c-1.600-.6-3.300-.9-5.200-.9s-3.600.3-5.200.9z";
const REAR =
  "M15 30.200c1.500.6 3.200.9 5 .9s3.500-.3 5-.9l.5-2.600c-1.700.5-3.500.8-5.500.8s-3.800-.3-5.500-.8z";

/** A car as an element that turns with `rotate`. Decoration: what it says stands in words beside the map. */
export function carElement(): { element: HTMLElement; turn(deg: number): void } {
  const element = document.createElement("div");
  element.className = "car-marker";
  element.setAttribute("aria-hidden", "true");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 40 40");
  for (const [d, name] of [
    [BODY, "car-body"],
    [SCREEN, "car-glass"],
    [REAR, "car-glass"],
  ] as const) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", name);
    svg.append(path);
  }
  const halo = document.createElement("span");
  halo.className = "car-halo";
  element.append(halo, svg);
  return {
    element,
    turn(deg) {
      svg.style.transform = `rotate(${deg.toFixed(1)}deg)`;
    },
  };
}

/** A small car of one colour as pixels, for maps with many. */
export function carImage(fill: string, edge: string, sizePx = 44): ImageData {
  const canvas = document.createElement("canvas");
  canvas.width = sizePx;
  canvas.height = sizePx;
  const context = canvas.getContext("2d")!;
  context.scale(sizePx / 40, sizePx / 40);
  context.fillStyle = fill;
  context.strokeStyle = edge;
  context.lineWidth = 3;
  const body = new Path2D(BODY);
  context.stroke(body);
  context.fill(body);
  context.fillStyle = edge;
  context.globalAlpha = 0.85;
  context.fill(new Path2D(SCREEN));
  return context.getImageData(0, 0, sizePx, sizePx);
}
