// Runs one script in the 32-bit MicroPython under Node:
//     node wasm32.mjs MICROPYTHON_MJS ROOT HEAP_BYTES PYTHON_CODE FOLDER...
// The named folders of ROOT are copied to the same places of its file system, whose root stands for ROOT.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const READABLE = /\.(py|json|csv|bin|txt|toml)$/;

function copyFolder(fs, root, folder) {
  fs.mkdirTree("/" + folder);
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder + "/" + entry.name;
    if (entry.isDirectory()) {
      if (!entry.name.startsWith(".") && entry.name !== "__pycache__") copyFolder(fs, root, path);
    } else if (READABLE.test(entry.name)) {
      fs.writeFile("/" + path, readFileSync(join(root, path)));
    }
  }
}

const [modulePath, root, heapBytes, code, ...folders] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(modulePath).href);
const micropython = await loadMicroPython({
  heapsize: Number(heapBytes),
  pystack: 16384,
  stdout: (line) => process.stdout.write(line + "\n"),
  stderr: (line) => process.stderr.write(line + "\n"),
});
for (const folder of folders) copyFolder(micropython.FS, root, folder);
micropython.FS.chdir("/");
try {
  micropython.runPython(code);
} catch (error) {
  process.stderr.write(String(error.message ?? error) + "\n");
  process.exitCode = 1;
}
