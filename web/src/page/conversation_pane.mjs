/** The conversation with one peer: messages, files, and the line to write on. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { dialSteps } from "./dial_steps.mjs";
import { icons } from "./icons.mjs";
import { FILE_LIMIT, NOTE_LIMIT } from "./messages.mjs";
import { PageElement } from "./page_element.mjs";
import { PATHS, bytes, clock, milliseconds, rate, shortId } from "./text.mjs";

/** Pixels from the end within which the log follows new messages. */
const NEAR_END = 80;

class ConversationPane extends PageElement {
  static properties = { ...PageElement.properties, _over: { state: true } };

  constructor() {
    super();
    this._drafts = new Map();
    this._depth = 0;
    this._follow = true;
  }

  willUpdate() {
    const log = this.querySelector(".log");
    this._follow = !log || log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END;
  }

  updated() {
    const { conversation } = this.session;
    const log = this.querySelector(".log");
    if (log && (this._follow || this._shown !== conversation?.peer)) log.scrollTop = log.scrollHeight;
    if (this._shown !== conversation?.peer) {
      this._shown = conversation?.peer;
      const box = this.querySelector("textarea");
      if (box) box.value = this._drafts.get(this._shown) ?? "";
      // What had the focus went away with the view before; writing is what comes next.
      if (box && document.activeElement === document.body) box.focus({ preventScroll: true });
    }
  }

  render() {
    const { conversation } = this.session;
    if (!conversation) return nothing;
    return html`<main class="conversation card ${this._over ? "over" : ""}"
        @dragenter=${this._enter} @dragover=${(event) => event.preventDefault()} @dragleave=${this._leave} @drop=${this._drop}>
      ${this._head(conversation)}
      <div class="log" role="log" aria-live="polite" aria-label="Messages" tabindex="0">
        ${conversation.items.some((item) => item.kind !== "notice") ? nothing : this._teach(conversation)}
        ${repeat(conversation.items, (item) => item.key, (item) => this._item(conversation, item))}
      </div>
      ${this._composer(conversation)}
      <div class="drop" aria-hidden="true">${icons.down}<span>Drop files to send them</span></div>
    </main>`;
  }

  _head(conversation) {
    const { session } = this;
    const path = conversation.open ? conversation.path : "none";
    const rtt = conversation.samples.at(-1)?.rtt;
    const dialling = session.dial?.peer === conversation.peer && session.dial.state === "running";
    return html`<header class="row">
      <h1 class="peer"><span class="sr">Conversation with </span><span translate="no" title=${conversation.peer}>${shortId(conversation.peer)}</span></h1>
      <span class="badge ${path}" id="badge" title=${PATHS[path].long}>${icons[path]}${conversation.state === "reconnecting" ? "Reconnecting…" : PATHS[path].badge}</span>
      <span class="figure" id="rtt">${conversation.open && rtt ? html`<span class="sr">Round trip </span>${milliseconds(rtt)}` : ""}</span>
      ${conversation.open
        ? html`<button type="button" class="quiet" id="disconnect" @click=${() => session.disconnect(conversation.peer)}>Disconnect</button>`
        : conversation.hangUp ? nothing : html`<button type="button" class="primary" id="reconnect" ?disabled=${dialling}
            @click=${() => session.connect({ peer: conversation.peer, relays: conversation.dial?.relays ?? [] })}>
            ${dialling ? "Connecting…" : "Reconnect"}</button>`}
    </header>
    ${!conversation.open && session.dial?.peer === conversation.peer ? dialSteps(session, session.dial) : nothing}`;
  }

  _teach({ path, limit }) {
    const most = limit?.data ? Math.min(limit.data, FILE_LIMIT) : FILE_LIMIT;
    return html`<div class="teach">
      <p><strong>${path === "relayed" ? "You are connected through the relay." : "You are connected."}</strong></p>
      <p class="muted">Write below, or drop a file of up to ${bytes(most)} anywhere here.<br>
        ${PATHS[path].long}</p></div>`;
  }

  _item(conversation, item) {
    if (item.kind === "notice") return html`<p class="aside ${item.tone}">${item.text}</p>`;
    const who = item.mine ? "You" : shortId(conversation.peer);
    return html`<div class="item ${item.mine ? "mine" : "theirs"}" data-state=${item.state ?? "received"}>
      <span class="sr">${who}: </span>
      ${item.kind === "note" ? html`<p class="bubble">${item.text}</p>` : this._file(item)}
      <span class="meta">${clock(item.at)}${item.mine ? html` · <span class="state">${STATES[item.state]}</span>` : nothing}</span>
      ${item.kind === "note" && item.error ? html`<span class="meta bad">${item.error.message}</span>` : nothing}
    </div>`;
  }

  _file(item) {
    const moving = ["waiting", "sending", "receiving"].includes(item.state);
    const percent = item.size ? Math.floor((item.done / item.size) * 100) : 100;
    return html`<div class="bubble file">
      ${icons.file}
      <span class="filename" translate="no">${item.name}</span>
      <span class="filefacts">${fileFacts(item, percent)}</span>
      ${item.url ? html`<a class="button quiet" href=${item.url} download=${item.name}>${icons.down}<span>Save<span class="sr"> ${item.name}</span></span></a>` : nothing}
      ${moving ? html`<button type="button" class="bare" aria-label=${`Cancel ${item.name}`} @click=${() => item.cancel()}>${icons.cross}</button>` : nothing}
      <progress class=${moving ? "" : "hidden"} max="100" .value=${percent} aria-label=${`Progress of ${item.name}`}></progress>
    </div>`;
  }

  _composer(conversation) {
    return html`<form class="composer" @submit=${this._submit}>
      <input type="file" multiple hidden id="file" @change=${this._picked} aria-label="Files to send">
      <button type="button" class="quiet square" id="attach" ?disabled=${!conversation.open} aria-label=${`Send files, up to ${bytes(FILE_LIMIT)} each`}
        @click=${() => this.querySelector("#file").click()}>${icons.clip}</button>
      <label class="sr" for="message">Message</label>
      <textarea id="message" rows="1" maxlength=${NOTE_LIMIT} placeholder=${conversation.open ? "Write a message" : "Not connected"}
        @keydown=${this._key} @input=${(event) => this._drafts.set(conversation.peer, event.target.value)}></textarea>
      <button class="primary" id="send" aria-label="Send" ?disabled=${!conversation.open}>${icons.send}<span>Send</span></button>
    </form>`;
  }

  _key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this._submit(event);
  }

  _submit(event) {
    event.preventDefault();
    const { conversation } = this.session;
    const box = this.querySelector("textarea");
    const text = box.value.trim();
    box.focus();
    if (text === "" || !conversation.open) return;
    box.value = "";
    this._drafts.delete(conversation.peer);
    this._follow = true;
    conversation.sendNote(text);
  }

  _picked(event) {
    this._sendFiles(event.target.files);
    event.target.value = "";
  }

  // dragenter and dragleave come for every element inside, so they are counted.
  _enter(event) {
    event.preventDefault();
    this._depth += 1;
    this._over = this.session.conversation.open && [...event.dataTransfer.types].includes("Files");
  }

  _leave() {
    this._depth = Math.max(0, this._depth - 1);
    if (this._depth === 0) this._over = false;
  }

  _drop(event) {
    event.preventDefault();
    this._depth = 0;
    this._over = false;
    this._sendFiles(event.dataTransfer.files);
  }

  _sendFiles(files) {
    const { conversation } = this.session;
    if (!conversation.open) return;
    for (const file of files) conversation.sendFile(file);
  }
}

const STATES = {
  waiting: "waiting", sending: "sending…", sent: "sent", delivered: "delivered", failed: "not sent", cancelled: "cancelled",
};

function fileFacts(item, percent) {
  const size = bytes(item.size);
  switch (item.state) {
    case "waiting": return `${size} · waiting`;
    case "sending": case "receiving": return `${bytes(item.done)} of ${size} · ${percent} %`;
    case "failed": return item.error?.message ?? "failed";
    case "cancelled": return `${size} · cancelled`;
    default: return `${size} · ${item.checked ? "SHA-256 checked · " : ""}${rate(item.size / Math.max(item.seconds || 0, 0.001))}`;
  }
}

customElements.define("ds-conversation", ConversationPane);
