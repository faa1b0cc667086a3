/** `npm run check`: everything about the sources that a machine can judge without running them. */
import { composeProblems } from "./check/compose.ts";
import { staleGenerated } from "./check/generated.ts";
import {
  lockedAddresses,
  longCommands,
  strayBytes,
  strayEnvironment,
  undeclaredPackages,
} from "./check/house-rules.ts";
import { findCycles, readImportGraph } from "./check/import-graph.ts";
import { forbiddenImports } from "./check/imports.ts";
import { breakingChanges, lintProto } from "./check/proto.ts";
import { biomeProblems, problemsOf } from "./check/run-command.ts";
import { runSteps, type Step } from "./check/run-steps.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

const steps: Step[] = [
  { name: "types (tsc)", find: () => problemsOf("tsc", ["-p", "."], root) },
  { name: "format and lint (biome)", find: () => biomeProblems(root) },
  { name: "contract: lint and format (buf)", find: () => lintProto(root) },
  { name: "contract: breaking changes (buf)", find: () => breakingChanges(root) },
  { name: "generated files are up to date", find: () => staleGenerated(root) },
  {
    name: "imports follow docs/ARCHITECTURE.md",
    find: async () => forbiddenImports(root, await readImportGraph(root)),
  },
  { name: "no import cycles", find: async () => findCycles(await readImportGraph(root)) },
  {
    name: "imported packages are declared",
    find: async () => undeclaredPackages(root, await readImportGraph(root)),
  },
  { name: "commands are short", find: () => longCommands(root) },
  { name: "only internal/config reads the environment", find: () => strayEnvironment(root) },
  { name: "docker-compose.yml (Compose Specification)", find: () => composeProblems(root) },
  { name: "no download addresses in the lock file", find: () => lockedAddresses(root) },
  { name: "no stray bytes", find: () => strayBytes(root) },
];

const failed = await runSteps(steps, process.stdout, 2);
console.log(
  failed === 0 ? `all ${steps.length} checks passed` : `${failed} of ${steps.length} checks failed`,
);
if (failed > 0) process.exitCode = 1;
