/** A waiting rider on the map: a dot with its name in text. */
export function riderElement(): HTMLElement {
  const element = document.createElement("div");
  element.className = "rider-marker";
  const label = document.createElement("span");
  label.className = "visually-hidden";
  label.textContent = "Your rider";
  element.append(label);
  return element;
}
