// Prints the Khronos validator's report on a file; fails when it finds an error.
import { readFile } from "node:fs/promises";
import { validateBytes } from "gltf-validator";

const report = await validateBytes(new Uint8Array(await readFile(process.argv[2])));
console.log(JSON.stringify(report));
process.exitCode = report.issues.numErrors === 0 ? 0 : 1;
