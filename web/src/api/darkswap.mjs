/** DarkSwap for pages: Pyodide and the Python package behind plain JavaScript classes, as darkswap.d.ts promises. */

export { DarkSwapWasm } from "./darkswap_wasm.mjs";
export { DarkSwapError } from "./errors.mjs";
export { init as default } from "./loading.mjs";
export { version } from "./version.mjs";
export { WebRtcConnection } from "./webrtc_connection.mjs";
