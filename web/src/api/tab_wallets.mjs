/**
 * The wallet extensions of this tab, for the node that another tab runs: it asks by messages, and its Python says with each
 * (`names`, see `bridge/tab_wallets.py`) where in `window` they are, what they tell, and how much of an answer is taken.
 */

class TooLarge extends Error {}
class Missing extends Error {}
const at = (path) => path.split(".").reduce((object, part) => object?.[part], window);

/** A copy that JSON can hold, of what a stranger's program gave. Throws `TooLarge`. */
function plain(value, { depth, values, length, bytes }) {
  let left = values;
  const fits = (size) => {
    if (size > length) throw new TooLarge();
  };
  const copy = (each, deep) => {
    left -= 1;
    if (deep === 0 || left < 0) throw new TooLarge();
    if (typeof each === "string") {
      fits(each.length);
      return each;
    }
    if (typeof each === "bigint") return Number(each);
    if (typeof each !== "object" || each === null) return each ?? null;
    if (ArrayBuffer.isView(each)) {
      fits(each.byteLength);
      return { [bytes]: hexOf(new Uint8Array(each.buffer, each.byteOffset, each.byteLength)) };
    }
    if (Array.isArray(each)) {
      fits(each.length);
      return each.filter((item) => typeof item !== "function").map((item) => copy(item, deep - 1));
    }
    const entries = Object.entries(each).filter(([name, item]) => name !== bytes && typeof item !== "function");
    return Object.fromEntries(entries.map(([name, item]) => [name, copy(item, deep - 1)]));
  };
  return copy(value, depth);
}

const hexOf = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const ofHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const named = (object, fields) => Object.fromEntries(fields.map((name) => [name, object[name]]).filter(([, value]) => value !== undefined));
const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

export class TabWallets {
  #answer;
  #found;
  /** Name → wallet-standard wallet. */
  #standard = new Map();
  /** Name and address → the account object that the wallet wants back. */
  #accounts = new Map();
  /** Names that were told, once the first question came. */
  #known = null;
  /** Number of a subscription → what ends it. */
  #listening = new Map();
  #register = ({ detail }) => detail(this.#api);
  #api = { register: (...wallets) => this.#add(wallets) };
  #names = null;
  #timer = 0;

  /** `answer(number, text)`: to a question, or once more to one that listens. `found(kind)`: an extension that came late. */
  constructor(answer, found) {
    this.#answer = answer;
    this.#found = found;
  }

  /** `text`: JSON of `{names, what}` with what `QUESTIONS` reads. */
  async ask(number, text) {
    const question = JSON.parse(text);
    this.#names = question.names;
    this.#meet();
    let told;
    try {
      told = { value: await this.#asked(number, question) };
    } catch (error) {
      told = this.#failure(error);
    }
    this.#answer(number, JSON.stringify(told));
  }

  #asked(number, { what, provider, method, params }) {
    if (what === "discover") return this.#present();
    if (what === "call") return this.#call(provider, method, params);
    if (what === "subscribe") return this.#subscribe(number, provider);
    this.#listening.get(params)?.();
    return this.#listening.delete(params);
  }

  #failure(error) {
    if (error instanceof Missing) return { missing: error.message };
    try {
      if (error instanceof TooLarge) throw error;
      return { error: plain(isObject(error) ? named(error, this.#names.error_fields) : String(error), this.#names) };
    } catch {
      return { large: true };
    }
  }

  // --- which there are

  /** Both ways: wallets that are there hear the page, later ones are heard by it. */
  #meet() {
    if (this.#known) return;
    window.addEventListener("wallet-standard:register-wallet", this.#register);
    window.dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: this.#api }));
    this.#known = new Set(this.#present());
    const until = performance.now() + 1000 * this.#names.late_seconds;
    this.#timer = setInterval(() => {
      this.#tellNew();
      if (performance.now() > until) clearInterval(this.#timer);
    }, 1000 * this.#names.poll_seconds);
  }

  #add(wallets) {
    const { standard, max_name, max_standard } = this.#names;
    for (const wallet of wallets) {
      const name = standard + String(wallet?.name ?? "").slice(0, max_name);
      const isNew = !this.#standard.has(name);
      if (!wallet?.features?.["bitcoin:connect"] || (isNew && this.#standard.size === max_standard)) continue;
      this.#standard.set(name, wallet);
    }
    // Those that are there already register themselves before any are known.
    if (this.#known) this.#tellNew();
  }

  #tellNew() {
    for (const name of this.#present()) {
      if (this.#known.has(name)) continue;
      this.#known.add(name);
      this.#found(name);
    }
  }

  #present() {
    const { paths } = this.#names;
    const own = Object.keys(paths).filter((name) => paths[name].some((path) => at(path) != null));
    return [...own, ...this.#listed(), ...this.#standard.keys()];
  }

  /** Wallets that the page lists and that have no name of ours. */
  #listed() {
    const { paths, listed, max_listed } = this.#names;
    const known = new Set(Object.values(paths).flat());
    return Array.from(window.btc_providers ?? []).slice(0, max_listed).map((entry) => String(entry?.id ?? ""))
      .filter((path) => path && !known.has(path) && typeof at(path)?.request === "function").map((path) => listed + path);
  }

  /** Looked up each time: an extension that was updated puts another object there. */
  #object(name) {
    const { paths, listed } = this.#names;
    const found = this.#listed().includes(name) ? at(name.slice(listed.length)) : (paths[name] ?? []).map(at).find((each) => each != null);
    if (found == null) throw new Missing("wallet");
    return found;
  }

  // --- what they are asked

  async #call(provider, method, params) {
    const wallet = this.#standard.get(provider);
    if (wallet) return this.#callFeature(provider, wallet, method, params);
    const object = this.#object(provider);
    const isOwn = this.#names.own_methods.includes(provider);
    const [name, values] = isOwn ? [method, params] : ["request", [method, params]];
    if (typeof object[name] !== "function") throw new Missing("method");
    return plain(await object[name](...values.map((value) => this.#revived(provider, value))), this.#names);
  }

  async #callFeature(provider, wallet, method, params) {
    const dot = method.lastIndexOf(".");
    const [feature, name] = [method.slice(0, dot), method.slice(dot + 1)];
    const functions = wallet.features[feature];
    if (typeof functions?.[name] !== "function") throw new Missing("method");
    const answer = await functions[name](this.#revived(provider, params));
    if (feature !== "bitcoin:connect") return plain(answer, this.#names);
    return { accounts: Array.from(answer?.accounts ?? [], (each) => this.#account(provider, each)) };
  }

  #account(provider, account) {
    const copy = plain(named(account, this.#names.account_fields), this.#names);
    this.#accounts.set(`${provider} ${copy.address}`, account);
    return copy;
  }

  /** Bytes again, and the account objects of the wallet in place of their addresses. */
  #revived(provider, value) {
    if (Array.isArray(value)) return value.map((each) => this.#revived(provider, each));
    if (typeof value !== "object" || value === null) return value;
    if (Object.hasOwn(value, this.#names.bytes)) return ofHex(value[this.#names.bytes]);
    const isStandard = this.#standard.has(provider);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [
      name, isStandard && name === "account" ? this.#accounts.get(`${provider} ${each}`) ?? each : this.#revived(provider, each),
    ]));
  }

  /** Answers with null, and then with each word. */
  #subscribe(number, provider) {
    const tell = (word) => this.#answer(number, JSON.stringify({ word }));
    const wallet = this.#standard.get(provider);
    if (wallet) {
      const end = wallet.features["standard:events"]?.on("change", () => tell("accounts"));
      this.#listening.set(number, () => end?.());
      return null;
    }
    const object = this.#object(provider);
    const ends = Object.entries(this.#names.events).map(([event, word]) => listen(object, event, () => tell(word)));
    this.#listening.set(number, () => ends.forEach((end) => end()));
    return null;
  }

  close() {
    clearInterval(this.#timer);
    window.removeEventListener("wallet-standard:register-wallet", this.#register);
    for (const end of this.#listening.values()) end();
    this.#listening.clear();
  }
}

/** `addListener` of sats-connect gives the function that ends it; `on` of the others has a counterpart. */
function listen(object, event, callback) {
  const add = ["on", "addListener"].find((name) => typeof object[name] === "function");
  const end = add && object[add](event, callback);
  return () => {
    if (typeof object.removeListener === "function") object.removeListener(event, callback);
    else if (typeof end === "function") end();
  };
}
