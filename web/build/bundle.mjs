// Bundles what the page loads: node bundle.mjs TARGET BUILD, which names all files that are built together.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = fileURLToPath(new URL("../src/", import.meta.url));
const common = {
  outdir: process.argv[2],
  outExtension: { ".js": ".mjs" },
  bundle: true,
  // The page brings these as files of their own, so that both of its scripts share one copy.
  external: ["./darkswap.mjs", "./darkswap-crypto.mjs", "./pyodide.mjs"],
  format: "esm",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
};
await Promise.all([
  build({
    ...common,
    entryPoints: { style: source + "page/style.css", "darkswap-crypto": source + "api/crypto.mjs" },
    minify: true,
  }),
  build({
    ...common,
    entryPoints: { page: source + "page/main.mjs" },
    // What trades, and what draws charts, comes when it is first asked for.
    splitting: true,
    chunkNames: "page-[name]-[hash]",
    minify: true,
  }),
  build({
    ...common,
    entryPoints: { darkswap: source + "api/darkswap.mjs" },
    define: { DARKSWAP_BUILD: JSON.stringify(process.argv[3]) },
    // Pages of others debug through it: lines and names stay. `keepNames` would define each inner function's name at
    // every call of the outer one.
    minify: false,
  }),
]);
