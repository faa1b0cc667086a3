#!/usr/bin/env node
// Starts one of the commands. Plain old JavaScript without imports, so that every Node can read it and an old one can say
// what is wrong instead of stumbling over TypeScript.
var commands = ["bimride", "gateway", "processor", "edge", "bimctl", "drive", "simulate", "bench", "drill"];
var invokedAs = process.argv[1].replace(/^.*[\\/]/, "").replace(/\.(js|cmd)$/, "");
// As a linked program the name it was called by says which command; else the first argument does.
var command = commands.indexOf(invokedAs) >= 0 ? invokedAs : process.argv.splice(2, 1)[0];

if (Number(process.versions.node.split(".")[0]) < 24) {
  console.error(
    "Bimride needs Node 24 or newer, this is " +
      process.version +
      ". Start it with npm (npm start, npm run …), which brings its own Node on Linux x64 and arm64, or install Node 24.",
  );
  process.exitCode = 1;
} else if (commands.indexOf(command) < 0) {
  console.error("usage: node cmd/launch.js " + commands.join("|") + " [arguments]");
  process.exitCode = 2;
} else {
  import("./" + command + ".ts").catch((error) => {
    console.error(
      error.code === "ERR_MODULE_NOT_FOUND" && error.message.indexOf("cmd/" + command + ".ts") >= 0
        ? "The command " + command + " is not part of this version."
        : error,
    );
    process.exitCode = 1;
  });
}
