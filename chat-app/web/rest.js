/** Why the server refused something: its problem JSON as an error. */
export class Problem extends Error {
  /** @param {{code?: string, title?: string, detail?: string, status?: number, retry_after_ms?: number}} body */
  constructor(body) {
    super(body.detail || body.title || body.code || 'refused');
    this.code = body.code ?? 'unavailable';
    this.status = body.status ?? 0;
    this.retryAfter = body.retry_after_ms;
  }
}

/** The network gave no answer: nothing is known about the request. */
export class Offline extends Error {}

/**
 * The REST half of the server, one method per request that the page makes.
 * The token travels in the Authorization header only.
 */
export class Rest {
  /** @type {string | undefined} */
  token;
  #base;
  #fetch;

  /** @param {{base: string, fetch?: typeof fetch}} options `base` is the server's origin */
  constructor({ base, fetch = globalThis.fetch.bind(globalThis) }) {
    this.#base = `${base}/api/v1/`;
    this.#fetch = fetch;
  }

  /** @param {string} name @param {string} password @returns {Promise<import('./types.js').User>} */
  signUp(name, password) {
    return this.#call('POST', 'accounts', { name, password });
  }

  /** @param {string} name @param {string} password
   *  @returns {Promise<{token: string, user: import('./types.js').User, expires_at: string}>} */
  signIn(name, password) {
    return this.#call('POST', 'sessions', { name, password });
  }

  signOut() {
    return this.#call('DELETE', 'sessions/current');
  }

  /** @returns {Promise<import('./types.js').User & {settings?: import('./types.js').Settings}>} */
  me() {
    return this.#call('GET', 'me');
  }

  /** @param {{name?: string}} change @returns {Promise<import('./types.js').User>} */
  changeMe(change) {
    return this.#call('PATCH', 'me', change);
  }

  /** @param {import('./types.js').Settings} settings */
  settings(settings) {
    return this.#call('PUT', 'me/settings', settings);
  }

  /** Ends all other sessions. @param {string} old_password @param {string} new_password */
  changePassword(old_password, new_password) {
    return this.#call('PUT', 'me/password', { old_password, new_password });
  }

  /** @returns {Promise<{key: string}>} what subscriptions of browsers are bound to */
  vapidKey() {
    return this.#call('GET', 'push/vapid-key');
  }

  /** @param {object} device @returns {Promise<{id: string}>} */
  addDevice(device) {
    return this.#call('POST', 'devices', device);
  }

  /** @param {string} id */
  removeDevice(id) {
    return this.#call('DELETE', `devices/${encodeURIComponent(id)}`);
  }

  deleteMe() {
    return this.#call('DELETE', 'me');
  }

  /** @param {string} query @returns {Promise<{users: import('./types.js').User[]}>} */
  users(query) {
    return this.#call('GET', `users?query=${encodeURIComponent(query)}`);
  }

  /** Every room of the user: follows the cursor to its end. @returns {Promise<import('./types.js').Room[]>} */
  async rooms() {
    const rooms = [];
    let cursor = '';
    do {
      const answer = await this.#call('GET', `rooms?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      rooms.push(...answer.rooms);
      cursor = answer.cursor ?? '';
    } while (cursor);
    return rooms;
  }

  /** @param {string} query @returns {Promise<{rooms: import('./types.js').Room[]}>} */
  publicRooms(query) {
    return this.#call('GET', `rooms?public=true&query=${encodeURIComponent(query)}`);
  }

  /** @param {string} id @returns {Promise<import('./types.js').Room>} */
  room(id) {
    return this.#call('GET', room(id));
  }

  /**
   * @param {{kind: 'direct'|'group', members?: string[], name?: string, public?: boolean}} room
   * @param {string} key makes a retry harmless
   * @returns {Promise<import('./types.js').Room>}
   */
  createRoom(room, key) {
    return this.#call('POST', 'rooms', room, { 'Idempotency-Key': key });
  }

  /** @param {string} id @param {string} name @returns {Promise<import('./types.js').Room>} */
  renameRoom(id, name) {
    return this.#call('PATCH', room(id), { name });
  }

  /** @param {string} id */
  deleteRoom(id) {
    return this.#call('DELETE', room(id));
  }

  /** @param {string} id @param {string} [invite] */
  join(id, invite) {
    return this.#call('POST', `${room(id)}/join`, { invite });
  }

  /** @param {string} id */
  leave(id) {
    return this.#call('POST', `${room(id)}/leave`, {});
  }

  /** @param {string} id @param {string} [until] a time; without it for ever, `null` ends it */
  mute(id, until) {
    return this.#call('PUT', `${room(id)}/mute`, { until });
  }

  /** @param {string} id @returns {Promise<{code: string, url: string, expires_at: string}>} */
  invite(id) {
    return this.#call('POST', `${room(id)}/invites`, {});
  }

  // ---- members ----

  /** @param {string} id @returns {Promise<{members: import('./types.js').Member[], cursor?: string}>} */
  members(id) {
    return this.#call('GET', `${room(id)}/members?limit=200`);
  }

  /** Adds somebody, or gives another role. @param {string} id @param {string} user @param {string} [role] */
  putMember(id, user, role) {
    return this.#call('PUT', `${room(id)}/members/${encodeURIComponent(user)}`, { role });
  }

  /** @param {string} id @param {string} user */
  removeMember(id, user) {
    return this.#call('DELETE', `${room(id)}/members/${encodeURIComponent(user)}`);
  }

  /** @param {string} id @param {string} user */
  ban(id, user) {
    return this.#call('PUT', `${room(id)}/bans/${encodeURIComponent(user)}`, {});
  }

  /** @param {string} user @param {boolean} blocked */
  block(user, blocked) {
    return this.#call(blocked ? 'PUT' : 'DELETE', `blocks/${encodeURIComponent(user)}`);
  }

  // ---- messages ----

  /** Who has read it. @param {string} id @param {string} message
   *  @returns {Promise<{readers: {user: string, read_at?: string}[], cursor?: string}>} */
  readers(id, message) {
    return this.#call('GET', `${room(id)}/messages/${encodeURIComponent(message)}/readers?limit=200`);
  }

  /** @param {string} id @param {string} message @returns {Promise<import('./types.js').Message>} */
  message(id, message) {
    return this.#call('GET', `${room(id)}/messages/${encodeURIComponent(message)}`);
  }

  /** @param {string} query @param {string} [id] in one room only
   *  @returns {Promise<{messages: import('./types.js').Message[], partial: boolean}>} */
  search(query, id) {
    return this.#call('GET', `search?${new URLSearchParams({ query, ...(id && { room: id }) })}`);
  }

  /**
   * @param {string} id
   * @param {{before?: number, after?: number, around?: number, around_id?: string, limit?: number, at_least?: string}} [options]
   * @returns {Promise<import('./types.js').Page>}
   */
  messages(id, options = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options)) {
      if (value !== undefined) query.set(name, String(value));
    }
    return this.#call('GET', `${room(id)}/messages?${query}`);
  }

  /** @param {string} method @param {string} path @param {object} [body] @param {Record<string, string>} [headers] */
  async #call(method, path, body, headers = {}) {
    /** @type {Record<string, string>} */
    const all = { Accept: 'application/json', ...headers };
    if (this.token) all.Authorization = `Bearer ${this.token}`;
    if (body) all['Content-Type'] = 'application/json';
    let response;
    try {
      response = await this.#fetch(this.#base + path, {
        method,
        headers: all,
        body: body && JSON.stringify(body),
        credentials: 'omit',
        cache: 'no-store',
      });
    } catch (cause) {
      throw new Offline('no answer from the server', { cause });
    }
    const text = await response.text();
    const answer = text ? parsed(text) : undefined;
    if (!response.ok) throw new Problem({ status: response.status, ...answer });
    return answer;
  }
}

/** @param {string} id */
function room(id) {
  return `rooms/${encodeURIComponent(id)}`;
}

/** A proxy's error page is not JSON: no reason to fail twice. @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
