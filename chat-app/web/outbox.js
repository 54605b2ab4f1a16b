/**
 * A message on its way. Its id makes a retry harmless: the server keeps one message per id, whatever arrives how often.
 * `waiting`: no receipt yet, send (again) when connected. `sent`: receipted, not yet seen in the room. `failed`: refused for good.
 *
 * @typedef {object} Entry
 * @property {string} id       the client-message-id
 * @property {string} room
 * @property {string} text
 * @property {string} created_at
 * @property {'waiting'|'sent'|'failed'} state
 * @property {string} [reason]
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
      this.entries = JSON.parse(this.#storage?.getItem(this.#key) ?? '[]');
    } catch {
      this.entries = [];
    }
  }

  /** @param {string} room @param {string} text @returns {Entry} */
  add(room, text) {
    /** @type {Entry} */
    const entry = { id: newId(), room, text, created_at: new Date().toISOString(), state: 'waiting' };
    this.entries.push(entry);
    this.#save();
    return entry;
  }

  /** @param {string} room */
  of(room) {
    return this.entries.filter((entry) => entry.room === room);
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
