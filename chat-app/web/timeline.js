/**
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./types.js').Page} Page
 * @typedef {import('./types.js').RoomEvent} RoomEvent
 */

/** So many live messages are kept for a window that looks at older ones; beyond, the pages in between are asked for. */
const MISSED = 200;
/** So many edits and deletes are remembered, for pages that were read before them. */
const CHANGES = 500;

/**
 * The messages of one room, in order: a page from REST, older pages in front of it, live events behind it.
 * `position` says up to where everything is in; applying events is idempotent, so at-least-once delivery is enough.
 *
 * After `show` it may be a window somewhere in the past (`after` is set): live messages wait until `append` has come up to them.
 * A page may have been read before events that came live: what these said stays.
 */
export class Timeline {
  /** @type {Message[]} oldest first */
  messages = [];
  /** @type {string | undefined} everything up to here is in; absent before the first page */
  position;
  /** @type {number | undefined} ordinal to ask older messages with; absent when the beginning is in */
  before;
  /** @type {number | undefined} ordinal to ask newer messages with; absent when the live end is in */
  after;
  /** @type {string | undefined} the position that a page must reach to bring the live end back */
  reach;
  /** @type {Map<string, string>} how far each user has read */
  readBy = new Map();
  /** @type {Map<string, string>} how far each user's devices have everything */
  deliveredBy = new Map();
  /** @type {Map<string, Message>} */
  #byId = new Map();
  /** @type {Map<string, Message>} live messages behind `reach` that came while looking elsewhere */
  #missed = new Map();
  /** @type {Map<string, {position: string, change: Partial<Message>}>} */
  #changes = new Map();

  /** The newest message that is known is shown. */
  get atEnd() {
    return this.after === undefined;
  }

  /** Forgets what was here and starts anew from the room's newest page. @param {Page} page */
  reset(page) {
    this.#replace(page);
    this.position = page.position;
    this.after = this.reach = undefined;
    this.#missed.clear();
  }

  /** Looks at another part of the room; live events keep their place. @param {Page} page */
  show(page) {
    const newer = this.atEnd ? this.messages.filter(({ position = '' }) => position > page.position) : [];
    if (this.atEnd && page.after !== undefined) this.reach = this.position;
    this.#replace(page);
    this.position ??= page.position;
    this.#end(page);
    if (this.atEnd) for (const message of newer) this.#add(message);
  }

  /** @param {Page} page the page before the oldest message here */
  prepend(page) {
    const older = page.messages.filter((message) => !this.#byId.has(message.id)).map((message) => this.#changed(message, page));
    for (const message of older) this.#byId.set(message.id, message);
    this.messages = [...older, ...this.messages];
    this.before = page.before;
  }

  /** @param {Page} page the page after the newest message here */
  append(page) {
    for (const message of page.messages) this.#add(this.#changed(message, page));
    this.#end(page);
  }

  /** Lets go of the oldest messages; they can be loaded again. @param {number} keep about how many stay */
  trimOldest(keep) {
    const from = this.messages.length - keep;
    // Only REST tells ordinals, and only with one the messages before it can be asked for.
    const cut = from > 0 ? this.messages.findIndex((message, at) => at >= from && message.ordinal !== undefined) : -1;
    if (cut <= 0) return;
    this.#drop(this.messages.slice(0, cut));
    this.messages = this.messages.slice(cut);
    this.before = this.messages[0].ordinal;
  }

  /** Lets go of the newest messages, as if one had looked for the older ones only. @param {number} keep about how many stay */
  trimNewest(keep) {
    const last = this.messages.findLastIndex((message, at) => at < keep && message.ordinal !== undefined);
    if (last < 0 || last === this.messages.length - 1) return;
    if (this.atEnd) this.reach = this.position;
    this.#drop(this.messages.slice(last + 1));
    this.messages = this.messages.slice(0, last + 1);
    this.after = this.messages[last].ordinal;
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
        this.#arrive({ position, ...event.message });
        return true;
      case 'edited':
        return event.message ? this.#alter(event.message.id, event.message, position) : false;
      case 'deleted':
        return event.id ? this.#alter(event.id, { deleted: true, text: undefined, content: undefined }, position) : false;
      case 'read':
        return raise(this.readBy, event.markers);
      case 'delivered':
        return raise(this.deliveredBy, event.markers);
      default:
        return false;
    }
  }

  /** @param {Message[]} messages */
  #drop(messages) {
    for (const { id } of messages) this.#byId.delete(id);
  }

  /** @param {Page} page */
  #replace(page) {
    this.messages = [];
    this.#byId.clear();
    for (const message of page.messages) this.#add(this.#changed(message, page));
    this.before = page.before;
  }

  /** What comes behind a page: more of them, or the live end. @param {Page} page */
  #end(page) {
    this.after = page.after;
    if (page.after !== undefined) return;
    if (this.reach !== undefined && page.position < this.reach) {
      // It ends before the live end that we have: more lies between.
      this.after = this.messages.at(-1)?.ordinal ?? 0;
      return;
    }
    for (const message of this.#missed.values()) if (!this.#byId.has(message.id)) this.#add(message);
    this.#missed.clear();
    this.reach = undefined;
  }

  /** @param {Message} message */
  #arrive(message) {
    if (this.atEnd || this.#byId.has(message.id)) return this.#add(message);
    this.#missed.set(message.id, message);
    if (this.#missed.size <= MISSED) return;
    const [oldest] = this.#missed.values();
    this.#missed.delete(oldest.id);
    this.reach = oldest.position;
  }

  /** @param {string} id @param {Partial<Message>} change @param {string} [position] */
  #alter(id, change, position) {
    if (position !== undefined) {
      this.#changes.delete(id);
      this.#changes.set(id, { position, change });
      const [oldest] = this.#changes.keys();
      if (this.#changes.size > CHANGES) this.#changes.delete(oldest);
    }
    const missed = this.#missed.get(id);
    if (missed) this.#missed.set(id, { ...missed, ...change, position: missed.position });
    return this.#change(id, change);
  }

  /** A message of a page, with what became of it since the page was read. @param {Message} message @param {Page} page */
  #changed(message, page) {
    const known = this.#changes.get(message.id);
    return known && known.position > page.position ? merged(message, known.change) : message;
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
    const next = merged(known, change);
    this.#byId.set(id, next);
    this.messages[this.messages.lastIndexOf(known)] = next;
    return true;
  }
}

/** @param {Message} known @param {Partial<Message>} change @returns {Message} */
function merged(known, change) {
  return { ...known, ...change, ordinal: known.ordinal ?? change.ordinal, position: known.position ?? change.position };
}

/** Markers only go forward. @param {Map<string, string>} by @param {{user: string, position?: string}[]} [markers] */
function raise(by, markers = []) {
  let raised = false;
  for (const { user, position } of markers) {
    if (position === undefined || position <= (by.get(user) ?? '')) continue;
    by.set(user, position);
    raised = true;
  }
  return raised;
}

/** @param {Message} a @param {Message} b */
function comesBefore(a, b) {
  if (a.ordinal !== undefined && b.ordinal !== undefined) return a.ordinal < b.ordinal;
  return (a.position ?? '') < (b.position ?? '');
}
