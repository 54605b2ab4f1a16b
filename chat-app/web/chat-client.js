/**
 * A chat client without any DOM: sign in, keep the room list true, follow rooms, send so that nothing is lost or doubled.
 *
 * ```js
 * const chat = new ChatClient({ base: 'http://127.0.0.1:8080' });
 * await chat.signIn('ada', 'correct horse');
 * const room = chat.open(roomId);
 * chat.on('room', (id) => id === room.id && console.log(room.timeline.messages));
 * chat.send(roomId, 'hello');
 * ```
 *
 * How it stays true: every followed room knows the position up to which it has everything. After a reconnect it subscribes
 * `from` there; where the server answers `recovered:false`, the newest page is loaded instead. A message goes out again under the
 * same client-message-id until its receipt arrives; markers are repeated after each reconnect.
 */
import { Client } from './vendor/stompjs/client.js';
import { Outbox, newId } from './outbox.js';
import { Offline, Problem, Rest } from './rest.js';
import { Timeline } from './timeline.js';

export { Offline, Problem } from './rest.js';

/**
 * @typedef {import('./types.js').Room} Room
 * @typedef {import('./types.js').RoomEvent} RoomEvent
 * @typedef {import('./types.js').User} User
 * @typedef {import('./outbox.js').Entry} Entry
 * @typedef {'signed-out'|'connecting'|'online'|'offline'} Connection
 *
 * @typedef {object} OpenRoom a room whose messages are followed
 * @property {string} id
 * @property {Timeline} timeline
 * @property {boolean} following      the live subscription stands
 * @property {boolean} loadingOlder
 * @property {Problem} [problem]      why it cannot be followed
 * @property {[RoomEvent, string | undefined][]} [held]  events that wait for a page
 * @property {string} [subscription]
 *
 * @typedef {object} Events
 * @property {Connection} connection
 * @property {undefined} rooms        the room list changed
 * @property {string} room            messages, outbox or markers of this room changed
 * @property {Problem} problem        something was refused that no call waits for
 * @property {string} signedOut       why
 */

/** First and longest pause between two attempts to connect, in ms; each attempt doubles it and draws a random part of it. */
const RETRY_FIRST = 500;
const RETRY_LONGEST = 15_000;
/** How long a receipt may take before the same message goes out again. */
const RECEIPT_TIMEOUT = 15_000;
/** How often we want to hear the server: a dead connection is noticed within twice this time. */
const HEAR = 10_000;
/** How often the server hears us. Browsers let a hidden page's timers run once a minute only; a shorter one would cost it its connection. */
const BEAT = 45_000;
const PAGE = 50;
/** Refusals that pass by themselves; every other one is final. */
const PASSING = new Set(['unavailable', 'rate-limited', 'shutdown']);

export class ChatClient {
  /** @type {User | undefined} */
  me;
  /** @type {Connection} */
  connection = 'signed-out';
  /** @type {Map<string, Room>} */
  rooms = new Map();
  /** @type {Map<string, string>} what people are called, by their ids; rooms and messages name ids only */
  names = new Map();
  /** The room list is loaded. */
  ready = false;
  rest;
  outbox;

  #socketUrl;
  #WebSocket;
  /** @type {Client | undefined} */
  #stomp;
  /** @type {Map<string, OpenRoom>} */
  #open = new Map();
  /** @type {Set<string>} rooms whose members' names were asked for */
  #named = new Set();
  /** @type {Map<string, string>} what we told the server we have read, to say it again */
  #read = new Map();
  /** @type {Map<string, {resolve: (headers: Record<string, string>) => void, reject: (reason: Error) => void}>} */
  #receipts = new Map();
  /** @type {Map<string, Set<(value: any) => void>>} */
  #listeners = new Map();
  #attempts = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {(() => void) | undefined} what the running pause ends with */
  #next;

  /**
   * @param {object} options
   * @param {string} options.base the server's origin, e.g. `https://chat.example.org`
   * @param {Pick<Storage, 'getItem'|'setItem'|'removeItem'>} [options.storage] keeps unsent messages over a reload
   * @param {typeof fetch} [options.fetch]
   * @param {any} [options.WebSocket]
   */
  constructor({ base, storage, fetch, WebSocket = globalThis.WebSocket }) {
    this.rest = new Rest({ base, fetch });
    this.outbox = new Outbox(storage);
    this.#socketUrl = `${base.replace(/^http/, 'ws')}/ws`;
    this.#WebSocket = WebSocket;
  }

  /**
   * @template {keyof Events} T
   * @param {T} type
   * @param {(value: Events[T]) => void} listener
   * @returns {() => void} ends the listening
   */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  // ---- account ----

  /** Makes an account and signs in. @param {string} name @param {string} password @returns {Promise<string>} the token */
  async signUp(name, password) {
    await this.rest.signUp(name, password);
    return this.signIn(name, password);
  }

  /** @param {string} name @param {string} password @returns {Promise<string>} the token */
  async signIn(name, password) {
    const session = await this.rest.signIn(name, password);
    this.#begin(session.token, session.user);
    return session.token;
  }

  /** Goes on with a token from earlier. @param {string} token */
  async resume(token) {
    this.rest.token = token;
    this.#setConnection('connecting');
    try {
      this.#begin(token, await this.rest.me());
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return this.#end(error.code);
      this.#setConnection('offline');
      this.#later(() => this.resume(token));
    }
  }

  async signOut() {
    await this.rest.signOut().catch(() => {});
    this.#end('left');
  }

  /** Tries at once instead of waiting for the next attempt; for when the network is known to be back. */
  reconnect() {
    this.#next?.();
  }

  // ---- people ----

  /** @param {string} user an id @returns {string} the name, or the id while the name is not known */
  nameOf(user) {
    return this.names.get(user) ?? user;
  }

  /** @param {string} query @returns {Promise<User[]>} others whose name matches */
  async findPeople(query) {
    const { users } = await this.rest.users(query);
    for (const { id, name } of users) this.names.set(id, name);
    return users.filter(({ id }) => id !== this.me?.id);
  }

  /** @param {string} room @returns {Promise<import('./types.js').Member[]>} */
  async members(room) {
    const { members } = await this.rest.members(room);
    for (const { user, name } of members) if (name) this.names.set(user, name);
    this.#emit('rooms', undefined);
    return members;
  }

  /** Asks for names once a room, and only where one is missing. @param {Room | undefined} room */
  async #learnNames(room) {
    if (!room?.role || this.#named.has(room.id) || room.members?.every((user) => this.names.has(user))) return;
    this.#named.add(room.id);
    await this.members(room.id).catch(() => this.#named.delete(room.id));
  }

  // ---- rooms ----

  /** Rooms, newest activity first. @returns {Room[]} */
  sortedRooms() {
    const newest = (/** @type {Room} */ room) => room.last_message?.created_at ?? '';
    return [...this.rooms.values()].sort((a, b) => (newest(a) < newest(b) ? 1 : newest(a) > newest(b) ? -1 : 0));
  }

  /** @param {{kind: 'direct'|'group', members?: string[], name?: string, public?: boolean}} room @returns {Promise<Room>} */
  async createRoom(room) {
    return this.#keep(await this.rest.createRoom(room, newId()));
  }

  /** @param {string} id @returns {Promise<Room>} */
  async join(id) {
    await this.rest.join(id);
    return this.#keep(await this.rest.room(id));
  }

  /** @param {string} id */
  async leave(id) {
    await this.rest.leave(id);
    this.#forget(id);
  }

  /** Asks the server for one room again. @param {string} id */
  async refresh(id) {
    try {
      this.#keep(await this.rest.room(id));
    } catch (error) {
      if (error instanceof Problem && error.code === 'not-found') this.#forget(id);
    }
  }

  /** Follows a room until `close`. The messages arrive with the event `room`. @param {string} id @returns {OpenRoom} */
  open(id) {
    let open = this.#open.get(id);
    if (!open) {
      open = { id, timeline: new Timeline(), following: false, loadingOlder: false };
      this.#open.set(id, open);
    }
    void this.#follow(open);
    return open;
  }

  /** Stops following; what was loaded stays, so that opening again only fetches what came since. @param {string} id */
  close(id) {
    const open = this.#open.get(id);
    if (!open) return;
    if (open.subscription && this.#stomp?.connected) this.#stomp.unsubscribe(open.subscription);
    open.subscription = undefined;
    open.following = false;
    open.held = undefined;
  }

  /** Loads the page before the oldest message. @param {string} id @returns {Promise<boolean>} whether there was one */
  async loadOlder(id) {
    const open = this.#open.get(id);
    if (!open || open.loadingOlder || open.timeline.before === undefined) return false;
    open.loadingOlder = true;
    try {
      open.timeline.prepend(await this.rest.messages(id, { before: open.timeline.before, limit: PAGE }));
      this.#emit('room', id);
      return true;
    } catch {
      return false;
    } finally {
      open.loadingOlder = false;
    }
  }

  // ---- messages ----

  /** Queues a message; it goes out now or when the connection is back. @param {string} room @param {string} text @returns {Entry} */
  send(room, text) {
    const entry = this.outbox.add(room, text);
    this.#emit('room', room);
    void this.#transmit(entry);
    return entry;
  }

  /** Tries a refused message again, under the same id. @param {Entry} entry */
  sendAgain(entry) {
    this.outbox.mark(entry, 'waiting');
    this.#emit('room', entry.room);
    void this.#transmit(entry);
  }

  /** @param {Entry} entry */
  discard(entry) {
    this.outbox.remove(entry.id);
    this.#emit('room', entry.room);
  }

  /** Everything up to here has been seen. @param {string} id @param {string} position */
  markRead(id, position) {
    if (position <= (this.#read.get(id) ?? '')) return;
    this.#read.set(id, position);
    this.#sendMarker(id, position);
    const room = this.rooms.get(id);
    if (room?.unread) {
      this.rooms.set(id, { ...room, unread: 0 });
      this.#emit('rooms', undefined);
    }
  }

  // ---- connection ----

  /** @param {string} token @param {User} user */
  #begin(token, user) {
    this.rest.token = token;
    this.me = user;
    this.names.set(user.id, user.name);
    this.outbox.open(user.id);
    this.#attempts = 0;
    this.#connect();
  }

  /** @param {string} reason */
  #end(reason) {
    this.#noRetry();
    void this.#stomp?.deactivate();
    this.#stomp = undefined;
    this.#dropReceipts();
    this.rest.token = undefined;
    this.me = undefined;
    this.ready = false;
    this.rooms.clear();
    this.#open.clear();
    this.#read.clear();
    this.#named.clear();
    this.#setConnection('signed-out');
    this.#emit('signedOut', reason);
  }

  #connect() {
    this.#noRetry();
    this.#setConnection('connecting');
    const stomp = new Client({
      webSocketFactory: () => new this.#WebSocket(this.#socketUrl, ['v12.stomp']),
      connectHeaders: { passcode: this.rest.token ?? '' },
      heartbeatIncoming: HEAR,
      heartbeatOutgoing: BEAT,
      connectionTimeout: 10_000,
      // Pauses are ours: they grow, differ between clients, and end when the network comes back.
      reconnectDelay: 0,
      onConnect: () => this.#connected(stomp),
      onStompError: (frame) => this.#onError(stomp, frame.headers),
      onWebSocketClose: () => this.#disconnected(stomp),
      onUnhandledReceipt: () => {},
    });
    this.#stomp = stomp;
    stomp.activate();
  }

  /** @param {Client} stomp */
  async #connected(stomp) {
    this.#attempts = 0;
    this.#setConnection('online');
    stomp.subscribe('/user/queue/errors', (message) => this.#onProblem(message.headers, message.body));
    for (const open of this.#open.values()) {
      if (open.following || open.held) void this.#follow(open);
    }
    for (const entry of this.outbox.waiting()) void this.#transmit(entry);
    for (const [room, position] of this.#read) this.#sendMarker(room, position);
    try {
      // The list is loaded behind the subscription, so no activity falls between the two.
      await this.#subscribe('/user/queue/rooms', (body) => this.#onRoomsEvent(JSON.parse(body)));
      const rooms = await this.rest.rooms();
      if (stomp !== this.#stomp) return;
      this.rooms = new Map(rooms.map((room) => [room.id, room]));
      this.ready = true;
      this.#emit('rooms', undefined);
      // A direct chat is called after the other one, whose name the list does not tell.
      for (const room of rooms) if (room.kind === 'direct') await this.#learnNames(room);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.#end(error.code);
      else stomp.forceDisconnect();
    }
  }

  /** @param {Client} stomp */
  #disconnected(stomp) {
    if (stomp !== this.#stomp) return;
    void stomp.deactivate();
    this.#dropReceipts();
    for (const open of this.#open.values()) {
      open.subscription = undefined;
      // Held events came over the old connection; the new one replays them.
      if (open.held) open.held = [];
    }
    this.#setConnection('offline');
    this.#later(() => this.#connect());
  }

  /** @param {() => void} action */
  #later(action) {
    const longest = Math.min(RETRY_LONGEST, RETRY_FIRST * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#noRetry();
    this.#next = () => {
      this.#noRetry();
      action();
    };
    this.#retry = setTimeout(this.#next, longest / 2 + (Math.random() * longest) / 2);
  }

  #noRetry() {
    clearTimeout(this.#retry);
    this.#next = undefined;
  }

  /** The server closes behind an ERROR; what it names is refused for good. @param {Client} stomp @param {Record<string, string>} headers */
  #onError(stomp, headers) {
    if (stomp !== this.#stomp) return;
    if (headers.code === 'unauthorized' || headers.code === 'expired') return this.#end(headers.code);
    this.#settle(headers['receipt-id'], new Problem({ code: headers.code, detail: headers.message }));
  }

  /** @param {Record<string, string>} headers @param {string} body */
  #onProblem(headers, body) {
    const problem = new Problem(JSON.parse(body));
    if (!this.#settle(headers['receipt-id'], problem)) this.#emit('problem', problem);
  }

  /** @param {string | undefined} receipt @param {Problem} problem */
  #settle(receipt, problem) {
    const waiter = receipt === undefined ? undefined : this.#receipts.get(receipt);
    waiter?.reject(problem);
    return waiter !== undefined;
  }

  #dropReceipts() {
    for (const waiter of this.#receipts.values()) waiter.reject(new Offline('connection lost'));
    this.#receipts.clear();
  }

  /** Sends a frame and waits for its receipt. @param {(stomp: Client, receipt: string) => void} frame
   *  @returns {Promise<Record<string, string>>} the receipt's headers */
  #receipted(frame) {
    const stomp = this.#stomp;
    if (!stomp?.connected) return Promise.reject(new Offline('not connected'));
    const receipt = newId();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Offline('no receipt')), RECEIPT_TIMEOUT);
      const end = () => {
        clearTimeout(timer);
        this.#receipts.delete(receipt);
      };
      this.#receipts.set(receipt, {
        resolve: (headers) => (end(), resolve(headers)),
        reject: (reason) => (end(), reject(reason)),
      });
      stomp.watchForReceipt(receipt, (answer) => this.#receipts.get(receipt)?.resolve(answer.headers));
      frame(stomp, receipt);
    });
  }

  /** @param {string} destination @param {(body: string, headers: Record<string, string>) => void} onMessage
   *  @param {Record<string, string>} [headers] */
  #subscribe(destination, onMessage, headers = {}) {
    return this.#receipted((stomp, receipt) => {
      stomp.subscribe(destination, (message) => onMessage(message.body, message.headers), { ...headers, receipt });
    });
  }

  // ---- following ----

  /** @param {OpenRoom} open */
  async #follow(open) {
    const stomp = this.#stomp;
    if (open.subscription) return;
    open.held ??= [];
    if (!stomp?.connected) return;
    const id = newId();
    const current = () => open.subscription === id && this.#stomp === stomp;
    open.subscription = id;
    try {
      if (open.timeline.position === undefined) {
        // The newest message may be known from the room list before the history has it.
        const at_least = this.rooms.get(open.id)?.last_message?.position;
        open.timeline.reset(await this.rest.messages(open.id, { limit: PAGE, at_least }));
        if (!current()) return;
        this.#clearSeen(open);
        this.#emit('room', open.id);
      }
      const receipt = await this.#subscribe(
        `/topic/rooms.${open.id}`,
        (body, headers) => current() && this.#onRoomEvent(open, JSON.parse(body), headers.position),
        { id, from: open.timeline.position ?? 'next' },
      );
      if (receipt.recovered === 'false') await this.#reload(open, receipt.position, current);
      if (!current()) return;
      open.problem = undefined;
      open.following = true;
      void this.#learnNames(this.rooms.get(open.id));
      const held = open.held ?? [];
      open.held = undefined;
      for (const [event, position] of held) this.#onRoomEvent(open, event, position);
      this.#emit('room', open.id);
    } catch (error) {
      if (!current()) return;
      open.subscription = undefined;
      if (error instanceof Problem && !PASSING.has(error.code)) {
        open.problem = error;
        this.#emit('room', open.id);
      } else {
        setTimeout(() => this.#open.has(open.id) && !open.subscription && open.held && this.#follow(open), 1000);
      }
    }
  }

  /** Live begins behind `position`: a page that reaches it closes the gap. @param {OpenRoom} open @param {string} position
   *  @param {() => boolean} current */
  async #reload(open, position, current) {
    for (;;) {
      const page = await this.rest.messages(open.id, { limit: PAGE, at_least: position });
      if (!current()) return;
      if (position === undefined || page.position >= position || page.position.slice(0, 8) !== position.slice(0, 8)) {
        open.timeline.reset(page);
        this.#clearSeen(open);
        return;
      }
    }
  }

  /** @param {OpenRoom} open @param {RoomEvent} event @param {string} [header] */
  #onRoomEvent(open, event, header) {
    if (open.held) {
      open.held.push([event, header]);
      return;
    }
    if (event.type === 'member' || event.type === 'room') {
      open.timeline.apply(event, header ?? event.position);
      void this.refresh(open.id);
      return;
    }
    if (!open.timeline.apply(event, header ?? event.position)) return;
    const message = event.message;
    if (message?.client_message_id && message.sender === this.me?.id) this.outbox.remove(message.client_message_id);
    this.#emit('room', open.id);
  }

  /** What is receipted or shown by a page needs no place in the outbox. @param {OpenRoom} open */
  #clearSeen(open) {
    for (const entry of this.outbox.of(open.id)) if (entry.state === 'sent') this.outbox.remove(entry.id);
    for (const message of open.timeline.messages) {
      if (message.client_message_id && message.sender === this.me?.id) this.outbox.remove(message.client_message_id);
    }
  }

  /** @param {import('./types.js').RoomsEvent} event */
  #onRoomsEvent(event) {
    const id = typeof event.room === 'string' ? event.room : event.room.id;
    const room = this.rooms.get(id);
    if (event.type === 'removed') return this.#forget(id);
    if (event.type === 'read' && room && event.position && event.position >= (room.last_message?.position ?? '')) {
      this.rooms.set(id, { ...room, unread: 0 });
      return this.#emit('rooms', undefined);
    }
    if (event.type !== 'activity' || !room) return void this.refresh(id);
    const own = event.last_message?.sender === this.me?.id;
    const seen = event.position !== undefined && event.position <= (this.#read.get(id) ?? '');
    this.rooms.set(id, {
      ...room,
      last_message: event.last_message ?? room.last_message,
      unread: own ? 0 : seen ? room.unread : (room.unread ?? 0) + 1,
    });
    this.#emit('rooms', undefined);
  }

  /** @param {Room} room @returns {Room} */
  #keep(room) {
    const before = this.rooms.get(room.id);
    this.rooms.set(room.id, room);
    if (before?.member_count !== room.member_count) this.#named.delete(room.id);
    if (room.kind === 'direct' || this.#open.get(room.id)?.following) void this.#learnNames(room);
    this.#emit('rooms', undefined);
    return room;
  }

  /** @param {string} id */
  #forget(id) {
    this.close(id);
    this.#open.delete(id);
    this.rooms.delete(id);
    this.#emit('rooms', undefined);
  }

  // ---- sending ----

  /** @param {Entry} entry */
  async #transmit(entry) {
    try {
      await this.#receipted((stomp, receipt) => {
        stomp.publish({
          destination: `/app/rooms.${entry.room}.send`,
          body: JSON.stringify({ text: entry.text }),
          headers: { receipt, 'client-message-id': entry.id, 'content-type': 'application/json' },
        });
      });
      // An open room shows the message itself in a moment; until then the entry stands for it.
      if (!this.outbox.entries.includes(entry)) return;
      if (this.#open.get(entry.room)?.following) this.outbox.mark(entry, 'sent');
      else this.outbox.remove(entry.id);
    } catch (error) {
      if (!this.outbox.entries.includes(entry)) return;
      const passing = !(error instanceof Problem) || PASSING.has(error.code);
      if (!passing) this.outbox.mark(entry, 'failed', error.message);
      // Not connected: the next connection sends it. Otherwise the same id goes out again.
      else if (this.#stomp?.connected) {
        const pause = (error instanceof Problem && error.retryAfter) || 1000;
        setTimeout(() => this.outbox.entries.includes(entry) && this.#transmit(entry), pause);
      }
    }
    this.#emit('room', entry.room);
  }

  /** @param {string} id @param {string} position */
  #sendMarker(id, position) {
    if (!this.#stomp?.connected) return;
    this.#stomp.publish({
      destination: `/app/rooms.${id}.read`,
      body: JSON.stringify({ position }),
      headers: { 'content-type': 'application/json' },
    });
  }

  /** @param {Connection} connection */
  #setConnection(connection) {
    if (this.connection === connection) return;
    this.connection = connection;
    this.#emit('connection', connection);
  }

  /** @template {keyof Events} T @param {T} type @param {Events[T]} value */
  #emit(type, value) {
    for (const listener of this.#listeners.get(type) ?? []) listener(value);
  }
}
