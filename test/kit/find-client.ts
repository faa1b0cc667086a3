import { findProgram } from "./engines/find-program.ts";

const HOW_TO_GET: Readonly<Record<string, string>> = {
  curl: "apt-get install curl",
  grpcurl: "npm run engines (needs Go)",
  mosquitto_pub: "apt-get install mosquitto-clients",
};

/** Why the client program can't be tried; undefined when it is there. With CI set it must be: throws. */
export function whyNoClient(program: string): string | undefined {
  if (findProgram(program) !== undefined) return undefined;
  const reason = `there is no ${program}: ${HOW_TO_GET[program] ?? "install it"}`;
  if (process.env.CI) throw new Error(`${reason}. In CI every documented line must run.`);
  return reason;
}
