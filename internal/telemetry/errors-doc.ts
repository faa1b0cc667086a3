import { BimrideError, ERRORS, type ErrorCode } from "../core/errors.ts";

/** docs/ERRORS.md, generated from the closed vocabulary. */
export function errorsDocument(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).map((code) => {
    const error = new BimrideError(code);
    return `| \`${code}\` | ${error.rpcCode} | ${error.httpStatus} | ${error.retryable ? "yes" : "no"} | ${ERRORS[code].doc} |`;
  });
  return `# Errors

<!-- Generated from internal/core/errors.ts by \`npm run generate\`. Do not edit. -->

The vocabulary is closed: every answer that is not a success carries one of these codes. gRPC and Connect callers see
the status beside it, REST callers the HTTP status with a JSON body \`{"code","message","field","retryable"}\`. *Again*
says whether the same call may succeed later. What caused an error inside is logged, never sent.

| code | status | HTTP | again | meaning |
|---|---|---|---|---|
${rows.join("\n")}
`;
}
