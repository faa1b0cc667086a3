import { runBench } from "../bench/run.ts";

/** The river's load is thousands of clients: collecting them takes a second, which would be measured as the service's. */
const LOAD_HEAP = ["--initial-old-space-size=3072", "--expose-gc"];

const args = process.argv.slice(2);
const launcher = process.argv[1]!;
if (args[0] === "river" && process.platform === "linux" && !process.execArgv.includes(LOAD_HEAP[0]!))
  process.execve?.(process.execPath, [
    ...[process.execPath, ...process.execArgv, ...LOAD_HEAP, launcher],
    ...["bench", ...args],
  ]);
process.exitCode = await runBench(args);
