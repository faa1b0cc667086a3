/** Writes everything that is generated and committed: gen/, the contract's image, docs/CONFIG.md, ERRORS.md, BENCHMARKS.md, ENGINES.md. */
import { generateInto } from "./check/generated.ts";
import { breakingChanges } from "./check/proto.ts";

const root = new URL("..", import.meta.url).pathname;
const breaks = await breakingChanges(root);
if (breaks.length > 0 && !process.argv.includes("--accept-breaking")) {
  console.error(
    `${breaks.join("\n")}\nThe contract breaks; nothing was written. To break it all the same: --accept-breaking`,
  );
  process.exitCode = 1;
} else {
  await generateInto(root, root);
  console.log("written: gen/ proto/image.binpb docs/{API,ARCHITECTURE,BENCHMARKS,CONFIG,ENGINES,ERRORS}.md");
}
