// Bundles what the page loads: node bundle.mjs TARGET.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = fileURLToPath(new URL("..", import.meta.url));
const entries = {
  page: web + "src/page/main.mjs",
  style: web + "src/page/style.css",
  "darkswap-crypto": web + "src/darkswap-crypto.mjs",
};
await build({
  entryPoints: Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(path))),
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
