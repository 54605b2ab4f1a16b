/** The chat's REST interface as a stranger would call it: plain fetch, no code of the page. */
export class Rest {
  constructor(base, token) {
    this.base = base;
    this.token = token;
  }

  async call(method, path, body, headers = {}) {
    const response = await fetch(`${this.base}/api/v1/${path}`, {
      method,
      headers: { ...(this.token && { Authorization: `Bearer ${this.token}` }), ...(body && { 'Content-Type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw Object.assign(new Error(`${method} ${path}: ${response.status} ${text}`), { status: response.status });
    return text ? JSON.parse(text) : undefined;
  }

  /** Makes an account and signs it in. */
  static async account(base, name, password = 'correct horse') {
    const rest = new Rest(base);
    await rest.call('POST', 'accounts', { name, password });
    const session = await rest.call('POST', 'sessions', { name, password });
    rest.token = session.token;
    rest.user = session.user;
    return rest;
  }

  /** The whole history of a room, oldest first, read page by page as the page does. */
  async history(room) {
    const all = [];
    let before;
    do {
      const page = await this.call('GET', `rooms/${room}/messages?limit=200${before === undefined ? '' : `&before=${before}`}`);
      all.unshift(...page.messages);
      before = page.before;
    } while (before !== undefined);
    return all;
  }
}
