import { runBimctl } from "../internal/app/bimctl/bimctl.ts";
import { endProcess } from "../internal/app/end-process.ts";
import { readEnvironment } from "../internal/config/environment.ts";

endProcess(
  await runBimctl(process.argv.slice(2), {
    env: readEnvironment(),
    print: (line) => process.stdout.write(`${line}\n`),
    complain: (line) => process.stderr.write(`${line}\n`),
    nowMs: () => Date.now(),
  }),
);
