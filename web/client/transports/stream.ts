import { Code, ConnectError, type Transport as ConnectTransport, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { LiveService } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { type Transport, WatchFailure, type WatchRequest } from "../transport.ts";

function asFailure(error: unknown): WatchFailure {
  const connectError = ConnectError.from(error);
  return new WatchFailure(connectError.rawMessage, {
    unauthenticated: connectError.code === Code.Unauthenticated,
    cause: error,
  });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** The Connect transport of a server, binary, over `fetch`. */
export function connectTransportTo(baseUrl: string): ConnectTransport {
  return createConnectTransport({ baseUrl, useBinaryFormat: true });
}

/** Watches over a Connect server stream (LiveService.WatchTrips); renews with RefreshWatch. */
export function streamTransport(rpc: ConnectTransport): Transport {
  const client = createClient(LiveService, rpc);
  return {
    name: "stream",
    async *open(request: WatchRequest) {
      const token = await request.token();
      try {
        yield* client.watchTrips(
          { targets: request.targets },
          { headers: bearer(token), signal: request.signal },
        );
      } catch (error) {
        throw asFailure(error);
      }
    },
    async refresh(watchId, token, signal) {
      try {
        const response = await client.refreshWatch({ watchId }, { headers: bearer(token), signal });
        return Number(response.expiresAtMs);
      } catch (error) {
        throw asFailure(error);
      }
    },
  };
}
