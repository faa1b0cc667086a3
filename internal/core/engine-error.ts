/**
 * An engine can't be used as it is configured: nobody answers, it refuses the credentials, it is too old, or what it
 * holds was made with other settings. Ends a start with one line; nothing is half made then.
 */
export class EngineError extends Error {
  override readonly name = "EngineError";
  /** The setting to look at, e.g. `nats.servers`. */
  readonly setting: string;

  /** @param what what is wrong, in words that follow the setting's name; no secrets */
  constructor(setting: string, what: string, options?: ErrorOptions) {
    super(`${setting}: ${what}`, options);
    this.setting = setting;
  }
}
