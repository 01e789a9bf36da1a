// Bundles what the page loads: node bundle.mjs TARGET. Entries that are not there yet are left out.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = fileURLToPath(new URL("..", import.meta.url));
const entries = ["src/page.mjs", "src/darkswap-crypto.mjs"].map((entry) => web + entry).filter(existsSync);
await build({
  entryPoints: entries,
  outdir: process.argv[2],
  outExtension: { ".js": ".mjs" },
  bundle: true,
  // The page brings these as files of their own, so that both of its scripts share one copy.
  external: ["./darkswap.mjs", "./darkswap-crypto.mjs", "./pyodide.mjs"],
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
