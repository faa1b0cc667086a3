import type { BimrideError, ErrorCode, RpcCode } from "../../../core/errors.ts";

/** Why a CONNECT is refused, in the words of MQTT 3.1.1. */
export const CONNACK = {
  IDENTIFIER_REJECTED: 2,
  SERVER_UNAVAILABLE: 3,
  BAD_CREDENTIALS: 4,
  NOT_AUTHORIZED: 5,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = { SESSION_ID_INVALID: CONNACK.IDENTIFIER_REJECTED };
const BY_KIND: Partial<Record<RpcCode, number>> = {
  unauthenticated: CONNACK.BAD_CREDENTIALS,
  permission_denied: CONNACK.NOT_AUTHORIZED,
  invalid_argument: CONNACK.NOT_AUTHORIZED,
};

/** The return code for an error of CONNECT: credentials, rights, the client id; whatever else, come again later. */
export function connackCodeOf({ code, rpcCode }: Pick<BimrideError, "code" | "rpcCode">): number {
  return BY_CODE[code] ?? BY_KIND[rpcCode] ?? CONNACK.SERVER_UNAVAILABLE;
}
