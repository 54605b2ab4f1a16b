/** @stomp/stompjs with promises around its callbacks; nothing of its protocol work is replaced. */
import { Client, Versions } from '@stomp/stompjs';
import WebSocket from 'ws';
import { within } from './checks.mjs';

let counter = 0;

export class Connection {
  messages = [];
  errors = [];
  closed = false;
  #wake = [];

  /** @param {string} url @param {object} [options] of the Client */
  static async open(url, options = {}) {
    const self = new Connection();
    self.sockets = 0;
    await within(60_000, new Promise((resolve, reject) => {
      self.client = new Client({
        webSocketFactory: () => ((self.sockets += 1), (self.socket = new WebSocket(url, self.client.stompVersions.protocolVersions()))),
        reconnectDelay: 0,
        onConnect: (frame) => ((self.greeting = frame.headers), (self.closed = false), resolve(), self.onConnect?.()),
        onStompError: (frame) => (self.errors.push(frame), reject(new Error(frame.headers.message))),
        onWebSocketError: (event) => reject(new Error(String(event.message))),
        onWebSocketClose: (event) => ((self.closed = true), (self.closeCode = event.code), self.onClose?.()),
        onUnhandledReceipt: () => {},
        ...options,
      });
      self.client.activate();
    }), 'the connection');
    return self;
  }

  /** Sends a frame with a receipt and waits for it. @returns {Promise<Record<string, string>>} its headers */
  receipted(frame, limit = 60_000) {
    const receipt = `r${(counter += 1)}`;
    const answer = new Promise((resolve) => this.client.watchForReceipt(receipt, ({ headers }) => resolve(headers)));
    frame(receipt);
    return within(limit, answer, `the receipt of ${frame}`);
  }

  send(destination, body, headers = {}) {
    return this.receipted((receipt) => this.client.publish({ destination, body, headers: { ...headers, receipt } }));
  }

  sendBytes(destination, binaryBody, headers = {}) {
    return this.receipted((receipt) => this.client.publish({ destination, binaryBody, headers: { ...headers, receipt } }));
  }

  subscribe(destination, headers = {}) {
    return this.receipted((receipt) => {
      this.subscription = this.client.subscribe(destination, (message) => {
        this.messages.push(message);
        this.#wake.shift()?.();
      }, { ...headers, receipt });
    });
  }

  /** The next message that was not taken yet. */
  async message(limit = 60_000) {
    while (this.messages.length === 0) await within(limit, new Promise((resolve) => this.#wake.push(resolve)), 'a message');
    return this.messages.shift();
  }

  close() {
    return this.client.deactivate();
  }
}

export { Versions };
