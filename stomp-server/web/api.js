/** The JSON of the server, and the token that it may want. */

const KEY = 'stomp-admin-token';

/** The server wants a token, or another one. */
export class TokenNeeded extends Error {}

/** The token stays in this tab only, and is gone when that is closed. */
export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.removeItem(KEY),
};

/** @param {string} path @param {Record<string, string | number>} [query] */
export async function ask(path, query = {}) {
  const secret = token.get();
  const search = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  const response = await fetch(`admin/api/${path}?${search}`, {
    headers: secret ? { Authorization: `Bearer ${secret}` } : {},
    cache: 'no-store',
    signal: AbortSignal.timeout(10_000),
  });
  // To those who may not see it, there is nothing: that is how the server says it.
  if (response.status === 404) throw new TokenNeeded();
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.json();
}
