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
 * How it stays true: every followed room knows the position up to which it has everything (`open-room.js`). A message goes out again
 * under the same client-message-id until its receipt arrives; markers are repeated after each reconnect (`link.js` has the connection).
 */
import { Link } from './link.js';
import { OpenRoom, PASSING } from './open-room.js';
import { Outbox, newId } from './outbox.js';
import { Offline, Problem, Rest } from './rest.js';

export { Offline, Problem } from './rest.js';

/**
 * @typedef {import('./types.js').Room} Room
 * @typedef {import('./types.js').RoomEvent} RoomEvent
 * @typedef {import('./types.js').User} User
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./outbox.js').Entry} Entry
 * @typedef {import('./open-room.js').OpenRoom} Following a room that is followed
 * @typedef {'signed-out'|'connecting'|'online'|'offline'} Connection
 *
 * @typedef {object} Events
 * @property {Connection} connection
 * @property {undefined} rooms        the room list, a name or somebody's presence changed
 * @property {string} room            messages, outbox, markers or who is writing changed in this room
 * @property {import('./types.js').Notice} notice  something new elsewhere that deserves a notification
 * @property {Problem} problem        something was refused that no call waits for
 * @property {string} signedOut       why
 */

/** "I am writing" is repeated after so long while one goes on, in ms. */
const TYPING_AGAIN = 3000;

export class ChatClient {
  /** @type {User | undefined} */
  me;
  /** @type {Connection} */
  connection = 'signed-out';
  /** @type {Map<string, Room>} */
  rooms = new Map();
  /** @type {Map<string, string>} what people are called, by their ids; rooms and messages name ids only */
  names = new Map();
  /** @type {Set<string>} who is known to be here */
  online = new Set();
  /** The room list is loaded. */
  ready = false;
  rest;
  outbox;

  #link;
  /** @type {Map<string, OpenRoom>} */
  #open = new Map();
  /** @type {Set<string>} rooms whose members' names were asked for */
  #named = new Set();
  /** @type {Set<string>} rooms whose readers were asked for */
  #asked = new Set();
  /** @type {Map<string, string>} what we told the server we have read, to say it again */
  #read = new Map();
  /** @type {Map<string, string>} what we told the server has come to this device */
  #delivered = new Map();
  /** @type {Map<string, number>} when we last said that we are writing */
  #typing = new Map();
  /** @type {Map<string, Set<(value: any) => void>>} */
  #listeners = new Map();

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
    this.#link = new Link({
      url: `${base.replace(/^http/, 'ws')}/ws`,
      WebSocket,
      hooks: {
        token: () => this.rest.token ?? '',
        connecting: () => this.#setConnection('connecting'),
        connected: () => this.#connected(),
        lost: () => this.#lost(),
        refused: (code) => this.#end(code),
        problem: (problem) => this.#emit('problem', problem),
      },
    });
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
      this.#link.later(() => this.resume(token));
    }
  }

  async signOut() {
    await this.rest.signOut().catch(() => {});
    this.#end('left');
  }

  /** Tries at once instead of waiting for the next attempt; for when the network is known to be back. */
  reconnect() {
    this.#link.hurry();
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
    for (const { user, name, online } of members) {
      if (name) this.names.set(user, name);
      if (online !== undefined) this.#present(user, online);
    }
    this.#emit('rooms', undefined);
    return members;
  }

  /** Asks for names once a room, and only where one is missing. @param {Room | undefined} room */
  async #learnNames(room) {
    if (!room?.role || this.#named.has(room.id)) return;
    // Who is here is told on entering; names may be known from another room.
    if (!this.#open.get(room.id)?.following && room.members?.every((user) => this.names.has(user))) return;
    this.#named.add(room.id);
    await this.members(room.id).catch(() => this.#named.delete(room.id));
  }

  /** What a page does not tell: names, who is here, who has read the newest of one's own messages. @param {OpenRoom} open */
  #learn(open) {
    void this.#learnNames(this.rooms.get(open.id));
    const own = open.timeline.messages.findLast(({ sender, position, deleted }) => sender === this.me?.id && position !== undefined && !deleted);
    if (!own || this.#asked.has(open.id)) return;
    this.#asked.add(open.id);
    this.rest.readers(open.id, own.id).then(({ readers }) => {
      const markers = readers.map(({ user }) => ({ user, position: own.position }));
      if (open.timeline.apply({ type: 'read', room: open.id, markers })) this.#emit('room', open.id);
    }, () => this.#asked.delete(open.id));
  }

  /** @param {string} user @param {boolean} online */
  #present(user, online) {
    if (online) this.online.add(user);
    else this.online.delete(user);
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

  /** @param {string} id @param {string} [invite] the code of an invitation @returns {Promise<Room>} */
  async join(id, invite) {
    await this.rest.join(id, invite);
    return this.#keep(await this.rest.room(id));
  }

  /** @param {string} id */
  async leave(id) {
    await this.rest.leave(id);
    this.#forget(id);
  }

  /** For everybody and for ever. @param {string} id */
  async deleteRoom(id) {
    await this.rest.deleteRoom(id);
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
      open = this.#makeOpen(id);
      this.#open.set(id, open);
    }
    void open.follow();
    return open;
  }

  /** @param {string} id */
  #makeOpen(id) {
    const open = new OpenRoom(id, {
      rest: this.rest,
      link: this.#link,
      newest: () => this.rooms.get(id)?.last_message?.position,
      changed: () => {
        if (open.following) this.#learn(open);
        this.#emit('room', id);
      },
      paged: () => {
        this.#clearSeen(open);
        this.#emit('room', id);
      },
      event: (event) => this.#onRoomEvent(event),
    });
    return open;
  }

  /** Stops following; what was loaded stays, so that opening again only fetches what came since. @param {string} id */
  close(id) {
    this.#named.delete(id);
    this.#asked.delete(id);
    this.#open.get(id)?.close();
  }

  // ---- messages ----

  /** Queues a message; it goes out now or when the connection is back.
   *  @param {string} room @param {string} text @param {{reply_to?: string, mentions?: string[]}} [more] @returns {Entry} */
  send(room, text, more = {}) {
    this.#typing.delete(room);
    return this.#queue(room, text, more);
  }

  /** Says a message of one's own otherwise. @param {Message} message @param {string} text @returns {Entry} */
  edit(message, text) {
    return this.#queue(message.room, text, { kind: 'edit', target: message.id });
  }

  /** Takes a message back, for everybody. @param {Message} message @returns {Entry} */
  delete(message) {
    return this.#queue(message.room, '', { kind: 'delete', target: message.id });
  }

  /** Tries something refused again, under the same id. @param {Entry} entry */
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
    this.#delivered.set(id, position);
    this.#link.tell(`/app/rooms.${id}.read`, { position });
    const room = this.rooms.get(id);
    if (room?.unread && position >= (room.last_message?.position ?? '')) {
      this.rooms.set(id, { ...room, unread: 0 });
      this.#emit('rooms', undefined);
    }
  }

  /** Everything up to here is on a screen, if not yet before eyes. @param {string} id @param {string} position */
  markDelivered(id, position) {
    if (position <= (this.#delivered.get(id) ?? '') || !this.#open.get(id)?.following) return;
    this.#delivered.set(id, position);
    this.#link.tell(`/app/rooms.${id}.delivered`, { position });
  }

  /** Tells the others that one writes, or no longer does; call it on every key. @param {string} room @param {boolean} active */
  type(room, active) {
    const last = this.#typing.get(room);
    if (active ? last !== undefined && Date.now() - last < TYPING_AGAIN : last === undefined) return;
    if (active) this.#typing.set(room, Date.now());
    else this.#typing.delete(room);
    this.#link.tell(`/app/rooms.${room}.typing`, { active });
  }

  // ---- connection ----

  /** @param {string} token @param {User} user */
  #begin(token, user) {
    this.rest.token = token;
    this.me = user;
    this.names.set(user.id, user.name);
    this.outbox.open(user.id);
    this.#link.start();
  }

  /** @param {string} reason */
  #end(reason) {
    this.#link.stop();
    this.rest.token = undefined;
    this.me = undefined;
    this.ready = false;
    for (const open of this.#open.values()) open.lost();
    for (const kept of [this.rooms, this.#open, this.#read, this.#delivered, this.#named, this.#asked, this.#typing, this.online]) kept.clear();
    this.#setConnection('signed-out');
    this.#emit('signedOut', reason);
  }

  async #connected() {
    const connection = this.#link.current;
    this.#setConnection('online');
    for (const open of this.#open.values()) if (open.wanted) void open.follow();
    for (const entry of this.outbox.waiting()) void this.#transmit(entry);
    for (const [room, position] of this.#read) this.#link.tell(`/app/rooms.${room}.read`, { position });
    try {
      void this.#link.subscribe('/user/queue/notifications', (body) => this.#emit('notice', JSON.parse(body))).catch(() => {});
      // The list is loaded behind the subscription, so no activity falls between the two.
      await this.#link.subscribe('/user/queue/rooms', (body) => this.#onRoomsEvent(JSON.parse(body)));
      const rooms = await this.rest.rooms();
      if (connection !== this.#link.current) return;
      this.rooms = new Map(rooms.map((room) => [room.id, room]));
      this.ready = true;
      this.#emit('rooms', undefined);
      // A direct chat is called after the other one, whose name the list does not tell.
      for (const room of rooms) if (room.kind === 'direct') await this.#learnNames(room);
    } catch (error) {
      if (connection !== this.#link.current) return;
      if (error instanceof Problem && error.status === 401) this.#end(error.code);
      else this.#link.renew();
    }
  }

  #lost() {
    for (const open of this.#open.values()) open.lost();
    // Who was here may have gone; it is asked again.
    this.online.clear();
    this.#named.clear();
    this.#asked.clear();
    this.#setConnection('offline');
  }

  /** @param {Connection} connection */
  #setConnection(connection) {
    if (this.connection === connection) return;
    this.connection = connection;
    this.#emit('connection', connection);
  }

  // ---- what comes ----

  /** @param {RoomEvent} event */
  #onRoomEvent(event) {
    const id = typeof event.room === 'string' ? event.room : event.room.id;
    if (event.type === 'member' || event.type === 'room') return void this.refresh(id);
    if (event.type === 'presence' && event.user) {
      this.#present(event.user, event.online === true);
      return this.#emit('rooms', undefined);
    }
    const { message } = event;
    if (message?.client_message_id && message.sender === this.me?.id) this.outbox.remove(message.client_message_id);
    const about = this.outbox.about(message?.id ?? event.id ?? '');
    if (about && this.#isShown(about)) this.outbox.remove(about.id);
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

  /** @param {string} room @param {string} text @param {import('./outbox.js').More} more @returns {Entry} */
  #queue(room, text, more) {
    const entry = this.outbox.add(room, text, more);
    this.#emit('room', room);
    void this.#transmit(entry);
    return entry;
  }

  /** @param {Entry} entry */
  async #transmit(entry) {
    const present = () => this.outbox.entries.includes(entry);
    try {
      await this.#link.send(`/app/rooms.${entry.room}.${entry.kind}`, bodyOf(entry), { 'client-message-id': entry.id });
      // An open room shows it by itself in a moment; until then the entry stands for it.
      if (!present()) return;
      if (this.#open.get(entry.room)?.following && !this.#isShown(entry)) this.outbox.mark(entry, 'sent');
      else this.outbox.remove(entry.id);
    } catch (error) {
      if (!present()) return;
      const passing = !(error instanceof Problem) || PASSING.has(error.code);
      if (!passing) this.outbox.mark(entry, 'failed', error.message);
      // Not connected: the next connection sends it. Otherwise the same id goes out again.
      else if (this.#link.connected) {
        const pause = (error instanceof Problem && error.retryAfter) || 1000;
        setTimeout(() => present() && this.#transmit(entry), pause);
      }
    }
    this.#emit('room', entry.room);
  }

  /** An edit or delete is done when its message looks like it, or is not loaded. @param {Entry} entry */
  #isShown({ kind, room, target, text }) {
    if (kind === 'send' || !target) return false;
    const message = this.#open.get(room)?.timeline.get(target);
    return !message || message.deleted === true || (kind === 'edit' && message.text === text);
  }

  /** @template {keyof Events} T @param {T} type @param {Events[T]} value */
  #emit(type, value) {
    for (const listener of this.#listeners.get(type) ?? []) listener(value);
  }
}

/** @param {Entry} entry */
function bodyOf({ kind, text, target, reply_to, mentions }) {
  if (kind === 'delete') return { id: target };
  if (kind === 'edit') return { id: target, text };
  return { text, reply_to, mentions: mentions?.length ? mentions : undefined };
}
