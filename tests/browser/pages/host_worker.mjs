// The package in a worker: every part of the host but WebRTC.
import { loadPyodide } from "/pyodide.mjs";

const pyodide = await loadPyodide();
await pyodide.loadPackage("darkswap_browser", { messageCallback: () => {} });
postMessage(await pyodide.runPythonAsync(`
import json
from darkswap_browser.runtime.select import load
runtime = load()
await runtime.store.put("worker", b"kept")
stop = runtime.lifecycle.subscribe(print)
stop()
json.dumps({
    "webrtc": runtime.features["webrtc"],
    "noble": runtime.features["noble"],
    "record": (await runtime.store.get("worker")).decode(),
})
`));
