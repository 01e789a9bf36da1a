/** Several messages in one array: how a call into Python carries them, and a call from it. */

/** Messages that came in one array, behind their lengths (see `pack` on the Python side), each with memory of its own. */
export function slice(data, count) {
  const view = new DataView(data.buffer, data.byteOffset);
  const messages = new Array(count);
  let at = 4 * count;
  for (let index = 0; index < count; index += 1) {
    const size = view.getUint32(4 * index, true);
    messages[index] = data.slice(at, at + size);
    at += size;
  }
  return messages;
}

export function packed(unit, count) {
  if (count === 1) return unit.data.subarray(0, unit.used);
  const whole = new Uint8Array(4 * count + unit.used);
  const view = new DataView(whole.buffer);
  for (let index = 0; index < count; index += 1) view.setUint32(4 * index, unit.sizes[index], true);
  whole.set(unit.data.subarray(0, unit.used), 4 * count);
  return whole;
}

const FIRST_ID = 2 ** 20;

/** How many messages were accepted, of what `NodeBridge.send` returns. */
export const acceptedCount = (answer) => answer % FIRST_ID;

/** Id of the first of them. */
export const firstId = (answer) => Math.floor(answer / FIRST_ID);

/** Their ids. */
export function acceptedIds(answer) {
  const count = acceptedCount(answer);
  const first = firstId(answer);
  return Array.from({ length: count }, (_, index) => first + index);
}
