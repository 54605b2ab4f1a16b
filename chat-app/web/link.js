/**
 * The connection: opens it again when it is lost, and tells which frame a receipt or a refusal belongs to.
 */
import { Client } from './vendor/stompjs/client.js';
import { newId } from './outbox.js';
import { Offline, Problem } from './rest.js';

/** First and longest pause between two attempts to connect, in ms; each attempt doubles it and draws a random part of it. */
const RETRY_FIRST = 500;
const RETRY_LONGEST = 15_000;
/** How long a receipt may take before the same message goes out again. */
const RECEIPT_TIMEOUT = 15_000;
/** How often we want to hear the server: a dead connection is noticed within twice this time. */
const HEAR = 10_000;
/** How often the server hears us. Browsers let a hidden page's timers run once a minute only; a shorter one would cost it its connection. */
const BEAT = 45_000;

/**
 * @typedef {object} Hooks
 * @property {() => string} token
 * @property {() => void} connecting
 * @property {() => void} connected
 * @property {() => void} lost
 * @property {(code: string) => void} refused    the login does not count, or no longer
 * @property {(problem: Problem) => void} problem  something was refused that no call waits for
 */

export class Link {
  #url;
  #WebSocket;
  #hooks;
  /** @type {Client | undefined} */
  #stomp;
  /** @type {Map<string, {resolve: (headers: Record<string, string>) => void, reject: (reason: Error) => void}>} */
  #receipts = new Map();
  #attempts = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {(() => void) | undefined} what the running pause ends with */
  #next;

  /** @param {{url: string, WebSocket: any, hooks: Hooks}} options */
  constructor({ url, WebSocket, hooks }) {
    this.#url = url;
    this.#WebSocket = WebSocket;
    this.#hooks = hooks;
  }

  get connected() {
    return this.#stomp?.connected ?? false;
  }

  /** Differs from connection to connection: whoever waited compares it. @returns {unknown} */
  get current() {
    return this.#stomp;
  }

  /** Begins anew, without a pause. */
  start() {
    this.#attempts = 0;
    this.#connect();
  }

  stop() {
    this.#noRetry();
    void this.#stomp?.deactivate();
    this.#stomp = undefined;
    this.#dropReceipts();
  }

  /** Gives this connection up and tries the next one. */
  renew() {
    this.#stomp?.forceDisconnect();
  }

  /** Tries at once instead of waiting for the next attempt; for when the network is known to be back. */
  hurry() {
    this.#next?.();
  }

  /** Does it after a pause that grows from time to time. @param {() => void} action */
  later(action) {
    const longest = Math.min(RETRY_LONGEST, RETRY_FIRST * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#noRetry();
    this.#next = () => {
      this.#noRetry();
      action();
    };
    this.#retry = setTimeout(this.#next, longest / 2 + (Math.random() * longest) / 2);
  }

  /** Sends without waiting; nothing happens while there is no connection. @param {string} destination @param {object} body */
  tell(destination, body) {
    if (!this.connected) return;
    this.#stomp?.publish({ destination, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  }

  /** @param {string} destination @param {object} body @param {Record<string, string>} headers
   *  @returns {Promise<Record<string, string>>} the receipt's headers */
  send(destination, body, headers) {
    return this.#receipted((stomp, receipt) => {
      const all = { ...headers, receipt, 'content-type': 'application/json' };
      stomp.publish({ destination, body: JSON.stringify(body), headers: all });
    });
  }

  /** @param {string} destination @param {(body: string, headers: Record<string, string>) => void} onMessage
   *  @param {Record<string, string>} [headers] @returns {Promise<Record<string, string>>} the receipt's headers */
  subscribe(destination, onMessage, headers = {}) {
    return this.#receipted((stomp, receipt) => {
      stomp.subscribe(destination, (message) => onMessage(message.body, message.headers), { ...headers, receipt });
    });
  }

  /** @param {string} id of the subscription */
  unsubscribe(id) {
    if (this.connected) this.#stomp?.unsubscribe(id);
  }

  #connect() {
    this.#noRetry();
    this.#hooks.connecting();
    const stomp = new Client({
      webSocketFactory: () => new this.#WebSocket(this.#url, ['v12.stomp']),
      connectHeaders: { passcode: this.#hooks.token() },
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
  #connected(stomp) {
    this.#attempts = 0;
    stomp.subscribe('/user/queue/errors', (message) => this.#onProblem(message.headers, message.body));
    this.#hooks.connected();
  }

  /** @param {Client} stomp */
  #disconnected(stomp) {
    if (stomp !== this.#stomp) return;
    void stomp.deactivate();
    this.#dropReceipts();
    this.#hooks.lost();
    this.later(() => this.#connect());
  }

  #noRetry() {
    clearTimeout(this.#retry);
    this.#next = undefined;
  }

  /** The server closes behind an ERROR; what it names is refused for good. @param {Client} stomp @param {Record<string, string>} headers */
  #onError(stomp, headers) {
    if (stomp !== this.#stomp) return;
    if (headers.code === 'unauthorized' || headers.code === 'expired') return this.#hooks.refused(headers.code);
    this.#settle(headers['receipt-id'], new Problem({ code: headers.code, detail: headers.message }));
  }

  /** @param {Record<string, string>} headers @param {string} body */
  #onProblem(headers, body) {
    const problem = new Problem(JSON.parse(body));
    if (!this.#settle(headers['receipt-id'], problem)) this.#hooks.problem(problem);
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
}
