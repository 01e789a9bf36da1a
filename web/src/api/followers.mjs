/** The tabs that use the node of this one. */

import { nodeDiffers } from "./errors.mjs";
import { FollowerLine } from "./follower.mjs";
import { SwitchEnd } from "./switch_end.mjs";
import { build } from "./version.mjs";

/** Milliseconds for which a tab may take nothing of the messages that wait for it. */
const PATIENCE = 5000;

export class Followers {
  #name;
  #gone;
  #mayGo;
  #settled;
  /** Id → `{line, end, config}`; `end` is the `SwitchEnd` that stands for the tab here. */
  #all = new Map();

  /** `gone(end)`: one has left. `mayGo()`: see `SwitchEnd`. `settled(peers)`: see `FollowerLine`. */
  constructor(name, gone, mayGo, settled) {
    this.#name = name;
    this.#gone = gone;
    this.#mayGo = mayGo;
    this.#settled = settled;
  }

  get size() {
    return this.#all.size;
  }

  has(end) {
    return [...this.#all.values()].some((one) => one.end === end);
  }

  /** `[end, config]` of each. */
  ends() {
    return [...this.#all.values()].map(({ end, config }) => [end, config]);
  }

  tell(...message) {
    for (const { line } of this.#all.values()) line.tell(...message);
  }

  /** Answers the greeting of a tab. Returns its end when it is a new one, else null. */
  welcome({ id, tab, build: theirs, config }, state) {
    const known = this.#all.get(id);
    if (known) {
      known.line.tell("welcome", state);
      return null;
    }
    const line = new FollowerLine(id, String(tab), this.#settled);
    if (theirs !== build) {
      line.tell("refuse", nodeDiffers(this.#name, "build").toJSON());
      line.close();
      return null;
    }
    const end = new SwitchEnd(line.hooks, () => this.#drop(id), this.#mayGo);
    line.serve(end);
    this.#all.set(id, { line, end, config });
    line.tell("welcome", state);
    line.ended.then(() => {
      if (this.#all.has(id)) end.free(0);
    });
    return end;
  }

  #drop(id) {
    if (!this.#all.has(id)) return;
    const { line, end } = this.#all.get(id);
    this.#all.delete(id);
    // What it is told last is that it is free.
    setTimeout(() => line.close(), 0);
    this.#gone(end);
  }

  /** Peers wait for a tab that takes none of what is for it no longer. */
  cutSilent() {
    for (const { line, end } of [...this.#all.values()]) {
      if (!line.fullSince || performance.now() - line.fullSince < PATIENCE) continue;
      line.tell("cut");
      end.free(0);
    }
  }

  /** The node is gone: they look for another. */
  close() {
    for (const { line } of this.#all.values()) line.close();
    this.#all.clear();
  }
}
