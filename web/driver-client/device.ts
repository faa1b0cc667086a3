import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import { type DeviceState, DeviceStateSchema } from "../../gen/bimride/tracking/v1/fix_pb.ts";
import type { WatchClock } from "../client/watch-clock.ts";
import type { Link } from "./link.ts";

/** What the app says of its device; what is left out stays as it was said before. */
export type DeviceReport = Omit<MessageInitShape<typeof DeviceStateSchema>, "$typeName" | "$unknown">;

/** Changes within so long are told together, milliseconds: a gateway takes two control messages a second. */
const TOGETHER_MS = 1_000;

const NOTHING = create(DeviceStateSchema);

/** The device's state as the app reports it: whole in every Hello, and on every change. */
export class Device {
  readonly #clock: WatchClock;
  #state: DeviceState = create(DeviceStateSchema);
  #told: DeviceState = this.#state;
  #link: Link | undefined;
  #cancel: (() => void) | undefined;

  constructor(clock: WatchClock) {
    this.#clock = clock;
  }

  report(report: DeviceReport): void {
    this.#state = create(DeviceStateSchema, { ...this.#state, ...report } as DeviceReport);
    this.#cancel ??= this.#clock.after(TOGETHER_MS, () => {
      this.#cancel = undefined;
      this.#tell();
    });
  }

  /** As it goes into a Hello; undefined while the app has said nothing. */
  forHello(): DeviceState | undefined {
    this.#told = this.#state;
    return equals(DeviceStateSchema, this.#state, NOTHING) ? undefined : this.#state;
  }

  attach(link: Link): void {
    this.#link = link;
  }

  detach(link: Link): void {
    if (this.#link === link) this.#link = undefined;
  }

  close(): void {
    this.#cancel?.();
  }

  #tell(): void {
    if (!this.#link || equals(DeviceStateSchema, this.#state, this.#told)) return;
    this.#told = this.#state;
    this.#link.send({ case: "deviceState", value: this.#state });
  }
}
