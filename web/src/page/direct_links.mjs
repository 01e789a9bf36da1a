/** Whether this browser can make direct links, and what the page says where it cannot. */

export const HAS_WEBRTC = typeof globalThis.RTCPeerConnection === "function";

export const NO_WEBRTC =
  "Direct links are not available in this browser, since it has no WebRTC. A relay carries your messages instead, encrypted from end to end and within its limits; trades work as usual.";
