// Runs a Python program in Pyodide: node in_pyodide.mjs ENVIRONMENT REPOSITORY PROGRAM [waits]
import { readFileSync } from "node:fs";

const [environment, repository, program, waits] = process.argv.slice(2);
if (!waits) delete WebAssembly.Suspending; // as in a browser where Python cannot wait for a coroutine

const { loadPyodide } = await import(`${environment}/node_modules/pyodide/pyodide.mjs`);
const pyodide = await loadPyodide();
pyodide.mountNodeFS("/packages", `${environment}/packages`);
pyodide.mountNodeFS("/repository", repository);
const interrupts = new Uint8Array(1);
pyodide.setInterruptBuffer(interrupts);
pyodide.globals.set("interrupt", () => { interrupts[0] = 2; });
try {
  await pyodide.runPythonAsync(readFileSync(program, "utf8"));
} catch (error) {
  console.error(error.message); // and not the line of minified code that node would show
  process.exit(1);
}
