/**
 * What was done and is on its way: a message, or an edit or delete of one. Its id makes a retry harmless: the server takes one per
 * id, whatever arrives how often. `waiting`: no receipt yet, send (again) when connected. `sent`: receipted, not yet seen in the
 * room. `failed`: refused for good.
 *
 * @typedef {object} Entry
 * @property {string} id          the client-message-id
 * @property {'send'|'edit'|'delete'} kind
 * @property {string} room
 * @property {string} text        empty on a delete
 * @property {string} [target]    the message that an edit or delete is about
 * @property {string} [reply_to]
 * @property {string[]} [mentions]
 * @property {string} created_at
 * @property {'waiting'|'sent'|'failed'} state
 * @property {string} [reason]
 *
 * @typedef {Partial<Pick<Entry, 'kind'|'target'|'reply_to'|'mentions'>>} More
 */

/** What was written and is not yet seen in its room, oldest first. With a storage it outlives a reload. */
export class Outbox {
  /** @type {Entry[]} */
  entries = [];
  #storage;
  #key = '';

  /** @param {Pick<Storage, 'getItem'|'setItem'|'removeItem'>} [storage] */
  constructor(storage) {
    this.#storage = storage;
  }

  /** Takes up what this user left behind. @param {string} user */
  open(user) {
    this.#key = `outbox:${user}`;
    try {
      const kept = JSON.parse(this.#storage?.getItem(this.#key) ?? '[]');
      this.entries = kept.map((/** @type {Entry} */ entry) => ({ ...entry, kind: entry.kind ?? 'send' }));
    } catch {
      this.entries = [];
    }
  }

  /** @param {string} room @param {string} text @param {More} [more] @returns {Entry} */
  add(room, text, more = {}) {
    /** @type {Entry} */
    const entry = { id: newId(), kind: 'send', room, text, ...more, created_at: new Date().toISOString(), state: 'waiting' };
    this.entries.push(entry);
    this.#save();
    return entry;
  }

  /** Messages of a room on their way. @param {string} room */
  of(room) {
    return this.entries.filter((entry) => entry.room === room && entry.kind === 'send');
  }

  /** What is on its way for a message that is there already: the newest edit or delete. @param {string} message its id */
  about(message) {
    return this.entries.findLast((entry) => entry.target === message);
  }

  waiting() {
    return this.entries.filter((entry) => entry.state === 'waiting');
  }

  /** @param {Entry} entry @param {Entry['state']} state @param {string} [reason] */
  mark(entry, state, reason) {
    entry.state = state;
    entry.reason = reason;
    this.#save();
  }

  /** @param {string} id @returns {boolean} whether it was here */
  remove(id) {
    const count = this.entries.length;
    this.entries = this.entries.filter((entry) => entry.id !== id);
    if (this.entries.length === count) return false;
    this.#save();
    return true;
  }

  #save() {
    // What is receipted is the server's; only the rest must survive a reload.
    const kept = this.entries.filter((entry) => entry.state !== 'sent');
    try {
      if (kept.length) this.#storage?.setItem(this.#key, JSON.stringify(kept));
      else this.#storage?.removeItem(this.#key);
    } catch {
      // A full or forbidden storage costs the copy that survives a reload, not the sending.
    }
  }
}

/** 128 random bits; randomUUID is missing on plain http off loopback, getRandomValues is not. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
