/**
 * One room that is followed: its newest page, then everything behind it, live. After a reconnect it goes on where it was; where the
 * server cannot (`recovered:false`), the newest page is loaded instead.
 */
import { newId } from './outbox.js';
import { Problem } from './rest.js';
import { Timeline } from './timeline.js';

/** @typedef {import('./types.js').RoomEvent} RoomEvent @typedef {import('./types.js').Page} Page */

const PAGE = 50;
/** Refusals that pass by themselves; every other one is final. */
export const PASSING = new Set(['unavailable', 'rate-limited', 'shutdown']);
/** Whoever stops without saying so is shown as writing for so long, in ms. */
const TYPING = 6000;

/**
 * @typedef {object} Around
 * @property {import('./rest.js').Rest} rest
 * @property {import('./link.js').Link} link
 * @property {() => string | undefined} newest       the newest position that is known from elsewhere
 * @property {() => void} changed
 * @property {() => void} paged                      a page came in
 * @property {(event: RoomEvent, position?: string) => void} event  one that came live, or on catching up
 */

export class OpenRoom {
  timeline = new Timeline();
  /** The live subscription stands. */
  following = false;
  /** A page is on its way. */
  loading = false;
  /** @type {Problem | undefined} why it cannot be followed */
  problem;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} who is writing */
  typing = new Map();

  #around;
  /** @type {[RoomEvent, string | undefined][] | undefined} events that wait for a page; present while it is open and not yet followed */
  #held;
  /** @type {string | undefined} */
  #subscription;

  /** @param {string} id @param {Around} around */
  constructor(id, around) {
    this.id = id;
    this.#around = around;
  }

  /** Somebody wants it followed. */
  get wanted() {
    return this.following || this.#held !== undefined;
  }

  /** Follows until `close`. */
  async follow() {
    const { rest, link } = this.#around;
    if (this.#subscription) return;
    this.#held ??= [];
    if (!link.connected) return;
    const id = newId();
    const connection = link.current;
    const current = () => this.#subscription === id && link.current === connection;
    this.#subscription = id;
    try {
      if (this.timeline.position === undefined) {
        // The newest message may be known from the room list before the history has it.
        this.timeline.reset(await rest.messages(this.id, { limit: PAGE, at_least: this.#around.newest() }));
        if (!current()) return;
        this.#around.paged();
      }
      const receipt = await link.subscribe(
        `/topic/rooms.${this.id}`,
        (body, headers) => current() && this.#onEvent(JSON.parse(body), headers.position),
        { id, from: this.timeline.position ?? 'next' },
      );
      if (receipt.recovered === 'false') await this.#reload(receipt.position, current);
      if (!current()) return;
      this.problem = undefined;
      this.following = true;
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const [event, position] of held) this.#onEvent(event, position);
      this.#around.changed();
    } catch (error) {
      if (!current()) return;
      this.#subscription = undefined;
      if (error instanceof Problem && !PASSING.has(error.code)) {
        this.problem = error;
        this.#around.changed();
      } else {
        setTimeout(() => this.#held && !this.#subscription && this.follow(), 1000);
      }
    }
  }

  /** Stops following; what was loaded stays, so that following again only fetches what came since. */
  close() {
    if (this.#subscription) this.#around.link.unsubscribe(this.#subscription);
    this.#subscription = undefined;
    this.following = false;
    this.#held = undefined;
    // A window into the past has no live end that one could go on from.
    if (!this.timeline.atEnd) this.timeline = new Timeline();
  }

  /** The connection is gone; the next one replays what is held. */
  lost() {
    this.#subscription = undefined;
    if (this.#held) this.#held = [];
    for (const user of this.typing.keys()) this.#stopped(user);
  }

  // ---- pages ----

  /** Loads the page before the oldest message. @returns {Promise<boolean>} whether there was one */
  loadOlder() {
    const { before } = this.timeline;
    return this.#load(before !== undefined, { before }, (page) => this.timeline.prepend(page));
  }

  /** Loads the page after the newest message of a window into the past. @returns {Promise<boolean>} whether there was one */
  loadNewer() {
    const { after, reach } = this.timeline;
    return this.#load(after !== undefined, { after, at_least: reach }, (page) => this.timeline.append(page));
  }

  /** Looks at the room around one message. @param {{around: number} | {around_id: string}} where @returns {Promise<boolean>} */
  seek(where) {
    return this.#load(true, where, (page) => this.timeline.show(page));
  }

  /** Back from the past. @returns {Promise<boolean>} */
  toNewest() {
    return this.#load(!this.timeline.atEnd, { at_least: this.timeline.reach }, (page) => this.timeline.show(page));
  }

  /** @param {boolean} sensible @param {object} query @param {(page: Page) => void} take */
  async #load(sensible, query, take) {
    const { timeline } = this;
    if (!sensible || this.loading || timeline.position === undefined) return false;
    this.loading = true;
    try {
      const page = await this.#around.rest.messages(this.id, { limit: PAGE, ...query });
      if (this.timeline !== timeline) return false;
      take(page);
      this.#around.paged();
      return true;
    } catch {
      return false;
    } finally {
      this.loading = false;
    }
  }

  /** Live begins behind `position`: a page that reaches it closes the gap. @param {string | undefined} position @param {() => boolean} current */
  async #reload(position, current) {
    for (;;) {
      const page = await this.#around.rest.messages(this.id, { limit: PAGE, at_least: position });
      if (!current()) return;
      if (position !== undefined && page.position < position && page.position.slice(0, 8) === position.slice(0, 8)) continue;
      this.timeline.reset(page);
      return this.#around.paged();
    }
  }

  // ---- events ----

  /** @param {RoomEvent} event @param {string} [header] */
  #onEvent(event, header) {
    if (this.#held) {
      this.#held.push([event, header]);
      return;
    }
    const position = header ?? event.position;
    if (event.type === 'typing') this.#onTyping(event);
    const changed = this.timeline.apply(event, position);
    if (event.type === 'message' && event.message) this.#stopped(event.message.sender);
    this.#around.event(event, position);
    if (changed || event.type === 'typing') this.#around.changed();
  }

  /** @param {RoomEvent} event */
  #onTyping({ user, active }) {
    if (!user) return;
    this.#stopped(user);
    if (!active) return;
    this.typing.set(user, setTimeout(() => (this.#stopped(user), this.#around.changed()), TYPING));
  }

  /** @param {string} user */
  #stopped(user) {
    clearTimeout(this.typing.get(user));
    this.typing.delete(user);
  }
}
