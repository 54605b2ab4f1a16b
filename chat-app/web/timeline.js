/**
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./types.js').Page} Page
 * @typedef {import('./types.js').RoomEvent} RoomEvent
 */

/**
 * The messages of one room, in order: a page from REST, older pages in front of it, live events behind it.
 * `position` says up to where everything is in; applying events is idempotent, so at-least-once delivery is enough.
 */
export class Timeline {
  /** @type {Message[]} oldest first */
  messages = [];
  /** @type {string | undefined} everything up to here is in; absent before the first page */
  position;
  /** @type {number | undefined} ordinal to ask older messages with; absent when the beginning is in */
  before;
  /** @type {Map<string, string>} how far each user has read */
  readBy = new Map();
  /** @type {Map<string, Message>} */
  #byId = new Map();

  /** Forgets what was here and starts anew from the room's newest page. @param {Page} page */
  reset(page) {
    this.messages = [];
    this.#byId.clear();
    for (const message of page.messages) this.#add(message);
    this.position = page.position;
    this.before = page.before;
  }

  /** @param {Page} page the page before the oldest message here */
  prepend(page) {
    const older = page.messages.filter((message) => !this.#byId.has(message.id));
    for (const message of older) this.#byId.set(message.id, message);
    this.messages = [...older, ...this.messages];
    this.before = page.before;
  }

  /** @param {string} id */
  get(id) {
    return this.#byId.get(id);
  }

  /**
   * @param {RoomEvent} event
   * @param {string} [position] of the event; absent on those that are not kept
   * @returns {boolean} whether anything changed
   */
  apply(event, position) {
    if (position !== undefined) {
      if (this.position !== undefined && position <= this.position) return false;
      this.position = position;
    }
    switch (event.type) {
      case 'message':
        if (!event.message) return false;
        this.#add({ position, ...event.message });
        return true;
      case 'edited':
        return event.message ? this.#change(event.message.id, event.message) : false;
      case 'deleted':
        return event.id ? this.#change(event.id, { deleted: true, text: undefined, content: undefined }) : false;
      case 'read':
        for (const { user, position: read } of event.markers ?? []) {
          if (read !== undefined && read > (this.readBy.get(user) ?? '')) this.readBy.set(user, read);
        }
        return true;
      default:
        return false;
    }
  }

  /** @param {Message} message */
  #add(message) {
    if (this.#change(message.id, message)) return;
    this.#byId.set(message.id, message);
    let at = this.messages.length;
    while (at > 0 && comesBefore(message, this.messages[at - 1])) at -= 1;
    this.messages.splice(at, 0, message);
  }

  /** @param {string} id @param {Partial<Message>} change */
  #change(id, change) {
    const known = this.#byId.get(id);
    if (!known) return false;
    // A new object, so that a view sees by identity what it must draw again.
    const next = { ...known, ...change, ordinal: known.ordinal ?? change.ordinal, position: known.position ?? change.position };
    this.#byId.set(id, next);
    this.messages[this.messages.lastIndexOf(known)] = next;
    return true;
  }
}

/** @param {Message} a @param {Message} b */
function comesBefore(a, b) {
  if (a.ordinal !== undefined && b.ordinal !== undefined) return a.ordinal < b.ordinal;
  return (a.position ?? '') < (b.position ?? '');
}
