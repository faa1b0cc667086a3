import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { BimrideError } from "../../../core/errors.ts";

/** What the bytes of a connection come over. */
export type Wire = {
  /** Calls back once the bytes have left this process, or never will. */
  write(bytes: Uint8Array, written: () => void): void;
  /** Lets nothing come in until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Ends it after what was written; a normal end, or because of the error. */
  end(error: BimrideError | undefined): void;
  /** Cuts it off. */
  destroy(): void;
  /** @param listener of which `closed` is called once, last */
  listen(listener: WireListener): void;
};

export type WireListener = {
  received(bytes: Buffer): void;
  /** What came is no MQTT. */
  broken(error: BimrideError): void;
  closed(): void;
};

/** TCP or TLS. */
export function socketWire(socket: Socket): Wire {
  return {
    write: (bytes, written) => void socket.write(bytes, () => written()),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    listen({ received, closed }) {
      socket.setNoDelay(true);
      // A connection that breaks is no error of ours; "close" follows.
      socket.on("error", () => {});
      socket.on("data", received);
      socket.on("close", closed);
    },
  };
}

const NORMAL = 1000;
const POLICY = 1008;
/** How `ws` calls what is wrong with frames, and a frame over its limit. */
const WS_ERROR_PREFIX = "WS_ERR_";
const WS_TOO_BIG = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

/** A WebSocket of binary frames; packets and frames need not begin together. */
export function webSocketWire(socket: WebSocket): Wire {
  return {
    write: (bytes, written) => socket.send(bytes, { binary: true }, () => written()),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: (error) => socket.close(error ? POLICY : NORMAL, error?.code ?? ""),
    destroy: () => socket.terminate(),
    listen({ received, broken, closed }) {
      // The route's plugin would cut the socket off before the close code of `ws` gets out.
      socket.removeAllListeners("error");
      socket.on("error", (error: Error & { code?: string }) => {
        if (!error.code?.startsWith(WS_ERROR_PREFIX)) return;
        const code = error.code === WS_TOO_BIG ? "MESSAGE_TOO_LARGE" : "MESSAGE_INVALID";
        broken(new BimrideError(code, undefined, { cause: error }));
      });
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        if (isBinary) received(data);
        else broken(new BimrideError("MESSAGE_INVALID", "MQTT comes in binary frames."));
      });
      socket.on("close", closed);
    },
  };
}
