// Runs steps in the 32-bit MicroPython under Node and weighs the heap between them:
//     node weigh.mjs MICROPYTHON_MJS STEPS_JSON FOLDER=TARGET...
// STEPS_JSON: [[name, python], ...]. The folders are copied to their targets in its file system. Prints what Python prints and, a
// step, `qstr pool: ...`, its table of names, and `{"name", "used", "left", "us"}`: bytes of heap at its end, and what of them is left
// after collecting garbage, and how long it took.

import { readdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, steps, ...folders] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(modulePath).href);
const micropython = await loadMicroPython({
  heapsize: 1024 * 1024,
  pystack: 16384,
  stdout: (line) => process.stdout.write(line + "\n"),
  stderr: (line) => process.stderr.write(line + "\n"),
});

function copyFolder(from, to) {
  micropython.FS.mkdirTree(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) copyFolder(from + "/" + entry.name, to + "/" + entry.name);
    else micropython.FS.writeFile(to + "/" + entry.name, readFileSync(from + "/" + entry.name));
  }
}

// This port collects garbage only between two scripts: nothing is freed in a step.
function settle() {
  micropython.runPython("gc.collect()");
  micropython.runPython("gc.collect()");
}

function used(python) {
  micropython.runPython(python + "\nused = gc.mem_alloc()");
  return micropython.globals.get("used");
}

try {
  for (const folder of folders) copyFolder(...folder.split("="));
  micropython.runPython("import gc\nimport micropython");
  for (const [name, python] of JSON.parse(steps)) {
    settle();
    const began = performance.now();
    const atEnd = used(python);
    const us = Math.round((performance.now() - began) * 1000);
    settle();
    micropython.runPython("micropython.qstr_info()");
    process.stdout.write(JSON.stringify({ name, used: atEnd, left: used(""), us }) + "\n");
  }
} catch (error) {
  process.stderr.write(String(error.message ?? error) + "\n");
  process.exitCode = 1;
}
