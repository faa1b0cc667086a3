/** What a setting is: everything that its parser, the usage text and docs/CONFIG.md need. */
export type Setting<Value> = {
  /** Dotted name as in docs/CONFIG.md, units last, e.g. `log.retention_ms`. */
  readonly name: string;
  readonly type: "integer" | "text" | "switch" | "choice";
  /** Value when nobody says otherwise. */
  readonly default: Value;
  /** Unit of a number, e.g. `ms`; empty for none. */
  readonly unit: string;
  /** Accepted values in words, e.g. `0 to 65535`. */
  readonly range: string;
  readonly doc: string;
  /** Command line flag without its dashes; settings without one come by environment only. */
  readonly flag?: string;
  /** Turns the given text into a value, or answers with what is wrong with it, in words that follow the name. */
  parse(text: string): { value: Value } | { problem: string };
};

type Common = { doc: string; flag?: string };

/** A whole number from `min` to `max`. */
export function integer(
  name: string,
  fallback: number,
  spec: Common & { min: number; max: number; unit?: string },
): Setting<number> {
  const { min, max, unit = "" } = spec;
  const range = `${min} to ${max}`;
  return {
    name,
    type: "integer",
    default: fallback,
    unit,
    range,
    doc: spec.doc,
    flag: spec.flag,
    parse(text) {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max
        ? { value }
        : { problem: `must be a whole number of ${range}${unit && ` (${unit})`}` };
    },
  };
}

/** A text that `accept` finds nothing wrong with. @param spec.range the accepted values in words */
export function text(
  name: string,
  fallback: string,
  spec: Common & { range: string; accept: (text: string) => boolean; problem?: string },
): Setting<string> {
  return {
    name,
    type: "text",
    default: fallback,
    unit: "",
    range: spec.range,
    doc: spec.doc,
    flag: spec.flag,
    parse: (given) =>
      spec.accept(given) ? { value: given } : { problem: spec.problem ?? `must be ${spec.range}` },
  };
}

/** On or off. As a flag it takes no value; `--no-FLAG` turns it off. */
export function onOff(name: string, fallback: boolean, spec: Common): Setting<boolean> {
  return {
    name,
    type: "switch",
    default: fallback,
    unit: "",
    range: "true or false",
    doc: spec.doc,
    flag: spec.flag,
    parse(given) {
      if (given === "true" || given === "1") return { value: true };
      if (given === "false" || given === "0") return { value: false };
      return { problem: "must be true or false" };
    },
  };
}

/** One of a closed list. */
export function choice<const Values extends readonly string[]>(
  name: string,
  values: Values,
  fallback: Values[number],
  spec: Common,
): Setting<Values[number]> {
  return {
    name,
    type: "choice",
    default: fallback,
    unit: "",
    range: values.join(", "),
    doc: spec.doc,
    flag: spec.flag,
    parse(given) {
      const value = values.find((candidate) => candidate === given);
      return value === undefined ? { problem: `must be one of ${values.join(", ")}` } : { value };
    },
  };
}

/** The environment variable of a setting: `log.retention_ms` → `BIMRIDE_LOG_RETENTION_MS`. */
export function envName(name: string): string {
  return `BIMRIDE_${name.replaceAll(".", "_").toUpperCase()}`;
}
