import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, within } from './checks.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const binaries = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug');

/** A port that is free, below those that the system gives out by itself: nobody gets it by chance meanwhile. */
export async function freePort() {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const free = await new Promise((resolve) => {
      const server = createServer();
      server.on('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

const running = new Set();
process.on('exit', () => {
  for (const server of running) server.process.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** One started binary; ended by its own process id only. */
class Server {
  log = '';

  constructor(name, args, ready) {
    this.name = name;
    this.ready = ready;
    this.process = spawn(join(binaries, name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve) => {
      this.process.on('error', (error) => ((this.log += error), resolve(-1)));
      this.process.on('exit', (code, signal) => (running.delete(this), resolve(code ?? signal)));
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      // The last part is enough to explain a failure, and a long run must not fill the memory.
      stream.on('data', (data) => (this.log = (this.log + data).slice(-20_000)));
    }
    running.add(this);
  }

  async untilReady() {
    let ended = false;
    void this.ended.then(() => (ended = true));
    for (let end = Date.now() + 90_000; Date.now() < end; await sleep(30)) {
      if (ended) throw new Error(`${this.name} ended at its start:\n${this.log}`);
      const answer = await fetch(this.ready).catch(() => undefined);
      if (answer?.ok) return this;
    }
    throw new Error(`${this.name} was not ready within 90 s:\n${this.log}`);
  }

  /** Asks it to end; @returns its exit code */
  async stop() {
    this.process.kill('SIGTERM');
    try {
      return await within(60_000, this.ended, `the end of ${this.name}`);
    } catch (error) {
      this.process.kill('SIGKILL');
      throw error;
    }
  }

  /** A crash: no goodbye, no flush. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** @param {string[]} [args] */
export async function startBroker(args = []) {
  const [tcp, http] = [await freePort(), await freePort()];
  const server = new Server('stomp-server', ['--tcp', `127.0.0.1:${tcp}`, '--http', `127.0.0.1:${http}`, ...args], `http://127.0.0.1:${http}/health/ready`);
  await server.untilReady();
  return Object.assign(server, { tcp, http, ws: `ws://127.0.0.1:${http}/ws` });
}

/** @param {{data: string, http?: number, tcp?: number, args?: string[]}} options */
export async function startChat({ data, http, tcp, args = [] }) {
  http ??= await freePort();
  const all = ['--data', data, '--http', `127.0.0.1:${http}`, ...(tcp ? ['--tcp', `127.0.0.1:${tcp}`] : []), ...args];
  const base = `http://127.0.0.1:${http}`;
  const server = new Server('chat-app', all, `${base}/health/ready`);
  await server.untilReady();
  return Object.assign(server, { base, http, tcp, ws: `ws://127.0.0.1:${http}/ws` });
}

/** A folder that goes away when the run ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'e2e-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
