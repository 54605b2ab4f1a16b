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

  /** @returns {Promise<import('./types.js').User>} */
  me() {
    return this.#call('GET', 'me');
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
    return this.#call('GET', `rooms/${encodeURIComponent(id)}`);
  }

  /**
   * @param {{kind: 'direct'|'group', members?: string[], name?: string, public?: boolean}} room
   * @param {string} key makes a retry harmless
   * @returns {Promise<import('./types.js').Room>}
   */
  createRoom(room, key) {
    return this.#call('POST', 'rooms', room, { 'Idempotency-Key': key });
  }

  /** @param {string} id */
  join(id) {
    return this.#call('POST', `rooms/${encodeURIComponent(id)}/join`, {});
  }

  /** @param {string} id */
  leave(id) {
    return this.#call('POST', `rooms/${encodeURIComponent(id)}/leave`, {});
  }

  /** @param {string} id @returns {Promise<{members: import('./types.js').Member[]}>} */
  members(id) {
    return this.#call('GET', `rooms/${encodeURIComponent(id)}/members?limit=200`);
  }

  /** @param {string} id @param {string} user */
  addMember(id, user) {
    return this.#call('PUT', `rooms/${encodeURIComponent(id)}/members/${encodeURIComponent(user)}`, {});
  }

  /**
   * @param {string} id
   * @param {{before?: number, limit?: number, at_least?: string}} [options]
   * @returns {Promise<import('./types.js').Page>}
   */
  messages(id, options = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options)) {
      if (value !== undefined) query.set(name, String(value));
    }
    return this.#call('GET', `rooms/${encodeURIComponent(id)}/messages?${query}`);
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

/** A proxy's error page is not JSON: no reason to fail twice. @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
