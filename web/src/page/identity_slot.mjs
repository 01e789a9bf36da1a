/**
 * One identity per tab. Tabs of one browser profile share IndexedDB, so each takes a numbered slot and keeps its keys
 * under that name. A Web Lock marks a slot as taken: a duplicated tab, which inherits the original's sessionStorage,
 * finds the lock held and moves on to a free slot, and the first tab of tomorrow gets today's identity back.
 */

const KEY = "darkswap.slot";
const SLOTS = 64;
/** Milliseconds that the page before a reload may take to let go of its lock. */
const RELOAD_GRACE = 1500;

/**
 * Name under which this tab keeps its identity; resolves once no other tab uses it. Null where a browser cannot tell
 * (locks need a secure context) or every slot is taken: the identity then lives as long as the page.
 */
export async function claimIdentityName() {
  if (!navigator.locks) return null;
  const kept = Number(readSession(KEY));
  if (Number.isInteger(kept) && kept > 0 && kept <= SLOTS && (await claim(kept, RELOAD_GRACE))) return slotName(kept);
  for (let slot = 1; slot <= SLOTS; slot += 1) {
    if (await claim(slot, 0)) {
      writeSession(KEY, String(slot));
      return slotName(slot);
    }
  }
  return null;
}

function slotName(slot) {
  return `tab-${slot}`;
}

/** True when the lock is ours; it is then held until the page goes away. */
function claim(slot, patience) {
  const options = patience > 0 ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
  return new Promise((resolve) => {
    navigator.locks
      .request(`darkswap-identity:${slotName(slot)}`, options, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

// Storage throws where the user forbids it; the page then works with what a new visitor would get.
function readSession(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function writeSession(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // The slot is still held by its lock; only a reload may land on another one.
  }
}
