/** Several messages in one array: how a call into Python carries them, and a call from it. */

/** Messages that share one array, behind their lengths: see `pack` on the Python side. */
export function slice(data, count) {
  const view = new DataView(data.buffer, data.byteOffset);
  const messages = new Array(count);
  let at = 4 * count;
  for (let index = 0; index < count; index += 1) {
    const size = view.getUint32(4 * index, true);
    messages[index] = data.subarray(at, at + size);
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
