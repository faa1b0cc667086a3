// Prints "PASSED FAILED SKIPPED" from Vitest's JSON report. A file that fails before its first test counts as one failure,
// and so does a run that Vitest calls failed although no test did (an error outside tests).
const fs = require("node:fs");

const report = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const broken = report.testResults.filter((file) => {
  return file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed");
}).length;
let failed = report.numFailedTests + broken;
if (failed === 0 && report.success === false) failed = 1;
console.log(`${report.numPassedTests} ${failed} ${report.numPendingTests + report.numTodoTests}`);
