/** The page's own ChatClient in Node, without a browser: that it needs no DOM, and what it does when things go wrong. */
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import WebSocket from 'ws';
import { ChatClient } from '../../chat-app/web/chat-client.js';
import { Outbox } from '../../chat-app/web/outbox.js';
import { Timeline } from '../../chat-app/web/timeline.js';
import { until } from './lib/checks.mjs';
import { startChat, temporaryFolder } from './lib/servers.mjs';

// A browser has it, and so does Node from 19 on; Debian's is older.
globalThis.crypto ??= webcrypto;

const message = (n, more = {}) => ({ id: `m${n}`, room: 'r', sender: 's', text: `text ${n}`, position: at(n), created_at: '2026-01-01T00:00:00.000Z', ...more });
const at = (n) => `0000000a-${n.toString(16).padStart(16, '0')}`;
const event = (n, more) => ({ type: 'message', message: message(n, more) });

/** @param {import('./lib/checks.mjs').Checks} checks */
export async function client(checks) {
  const check = (name, body) => checks.check(`client: ${name}`, body);

  await check('a timeline takes pages and events in any overlap', () => {
    const timeline = new Timeline();
    timeline.reset({ messages: [3, 4].map((n) => message(n, { ordinal: n })), position: at(4), before: 3 });
    assert.equal(timeline.apply(event(4), at(4)), false, 'what a page shows is not applied again');
    assert.equal(timeline.apply(event(5), at(5)), true);
    assert.equal(timeline.apply(event(5), at(5)), false, 'delivered twice, shown once');
    timeline.prepend({ messages: [1, 2, 3].map((n) => message(n, { ordinal: n })), position: at(5) });
    assert.deepEqual(timeline.messages.map(({ id }) => id), ['m1', 'm2', 'm3', 'm4', 'm5']);
    assert.equal(timeline.before, undefined);
    assert.equal(timeline.position, at(5));
  });

  await check('an edit and a delete change what is there, and come once', () => {
    const timeline = new Timeline();
    timeline.reset({ messages: [message(1, { ordinal: 1 }), message(2, { ordinal: 2 })], position: at(2) });
    timeline.apply({ type: 'edited', message: message(1, { text: 'better', edited_at: '2026-01-01T00:00:01.000Z' }) }, at(3));
    timeline.apply({ type: 'deleted', id: 'm2', by: 's' }, at(4));
    timeline.apply({ type: 'edited', message: message(1, { text: 'stale' }) }, at(3));
    assert.equal(timeline.get('m1').text, 'better');
    assert.equal(timeline.get('m1').ordinal, 1);
    assert.equal(timeline.get('m2').deleted, true);
    assert.equal(timeline.get('m2').text, undefined);
    assert.deepEqual(timeline.messages.map(({ id }) => id), ['m1', 'm2']);
  });

  await check('a window into the past takes the live end back without a hole', () => {
    const timeline = new Timeline();
    const page = (from, to, more) => ({ messages: Array.from({ length: to - from + 1 }, (_, n) => message(from + n, { ordinal: from + n })), ...more });
    const ids = () => timeline.messages.map(({ id }) => id);
    timeline.reset({ ...page(8, 10), position: at(10), before: 8 });
    timeline.show({ ...page(2, 3), position: at(10), before: 2, after: 3 });
    assert.equal(timeline.atEnd, false);
    timeline.apply(event(11), at(11));
    timeline.apply({ type: 'edited', message: message(5, { text: 'better' }) }, at(12));
    assert.deepEqual(ids(), ['m2', 'm3'], 'what comes live waits');
    timeline.append({ ...page(4, 6), position: at(11), after: 6 });
    assert.equal(timeline.get('m5').text, 'better', 'a page read before an edit does not undo it');
    // The history is behind: it ends before the newest message that the window let go of.
    timeline.append({ ...page(7, 9), position: at(9) });
    assert.equal(timeline.atEnd, false);
    timeline.append({ ...page(10, 10), position: at(10) });
    assert.equal(timeline.atEnd, true);
    assert.deepEqual(ids(), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((n) => `m${n}`));
    timeline.trimOldest(4);
    assert.deepEqual([timeline.before, ids()[0]], [8, 'm8'], 'not before a message whose ordinal is known');
    timeline.trimNewest(2);
    assert.deepEqual([timeline.after, ids().join()], [9, 'm8,m9']);
    timeline.apply(event(13), at(13));
    timeline.append({ ...page(10, 11), position: at(13) });
    assert.deepEqual(ids(), ['m8', 'm9', 'm10', 'm11', 'm13']);
  });

  await check('a window that missed more than it keeps asks for what lies between', () => {
    const timeline = new Timeline();
    timeline.reset({ messages: [message(1, { ordinal: 1 })], position: at(1) });
    timeline.show({ messages: [], position: at(1), after: 0 });
    for (let n = 2; n <= 302; n += 1) timeline.apply(event(n), at(n));
    timeline.append({ messages: [message(1, { ordinal: 1 })], position: at(1) });
    assert.equal(timeline.atEnd, false, 'a page of before is not enough');
    const between = Array.from({ length: 150 }, (_, n) => message(n + 2, { ordinal: n + 2 }));
    timeline.append({ messages: between, position: at(151) });
    assert.equal(timeline.atEnd, true);
    assert.deepEqual(timeline.messages.map(({ id }) => id), Array.from({ length: 302 }, (_, n) => `m${n + 1}`));
  });

  await check('imported messages, which have no position, stay in front', () => {
    const timeline = new Timeline();
    timeline.reset({ messages: [message(1, { ordinal: 1, position: undefined }), message(2, { ordinal: 2 })], position: at(2) });
    timeline.apply(event(3), at(3));
    assert.deepEqual(timeline.messages.map(({ id }) => id), ['m1', 'm2', 'm3']);
  });

  await check('an outbox outlives a reload, without what was receipted', () => {
    const map = new Map();
    const storage = { getItem: (key) => map.get(key) ?? null, setItem: (key, value) => map.set(key, value), removeItem: (key) => map.delete(key) };
    const outbox = new Outbox(storage);
    outbox.open('ada');
    const [one, two] = [outbox.add('r', 'one'), outbox.add('r', 'two')];
    outbox.mark(one, 'sent');
    const next = new Outbox(storage);
    next.open('ada');
    assert.deepEqual(next.entries.map(({ id }) => id), [two.id]);
    next.open('bob');
    assert.deepEqual(next.entries, []);
  });

  const data = temporaryFolder();
  let server = await startChat({ data });
  const sockets = new Set();
  /** A WebSocket that can be cut from here. */
  class Cuttable extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.add(this);
      this.on('close', () => sockets.delete(this));
    }
  }
  const make = async (name) => {
    const chat = new ChatClient({ base: server.base, WebSocket: Cuttable });
    await chat.signUp(name, 'correct horse');
    await until(() => chat.ready, `${name} is connected`);
    return chat;
  };
  const [ada, bob] = [await make('ada'), await make('bob')];
  const texts = (open) => open.timeline.messages.map(({ text }) => text);
  let room;

  await check('two of them talk, and the room list follows', async () => {
    room = await ada.createRoom({ kind: 'group', name: 'node', members: ['bob'] });
    await until(() => bob.rooms.has(room.id), 'the room in the list of the other');
    ada.send(room.id, 'before anyone looks');
    await until(() => bob.rooms.get(room.id).unread === 1, 'one unread');
    assert.equal(bob.rooms.get(room.id).last_message.text, 'before anyone looks');
    const [a, b] = [ada.open(room.id), bob.open(room.id)];
    await until(() => a.following && b.following, 'both follow');
    assert.equal(b.timeline.messages.length, 1, 'the page has what the room list announced');
    bob.markRead(room.id, b.timeline.messages.at(-1).position);
    await until(async () => (await bob.rest.room(room.id)).unread === 0, 'read on the server');
    bob.send(room.id, 'hello');
    await until(() => texts(a).length === 2 && texts(b).length === 2, 'both messages on both sides');
    await until(() => ada.outbox.entries.length + bob.outbox.entries.length === 0, 'empty outboxes');
  });

  await check('connections cut in the middle of sending lose and double nothing', async () => {
    const [a, b] = [ada.open(room.id), bob.open(room.id)];
    const before = texts(a).length;
    for (let n = 0; n < 60; n += 1) {
      (n % 2 ? ada : bob).send(room.id, `cut ${n}`);
      if (n % 20 === 10) for (const socket of sockets) socket.terminate();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await until(() => texts(a).length === before + 60 && texts(b).length === before + 60, 'sixty more on both sides');
    assert.deepEqual(texts(a), texts(b));
    assert.equal(new Set(texts(a)).size, texts(a).length);
    await until(() => ada.outbox.entries.length + bob.outbox.entries.length === 0, 'empty outboxes');
  });

  await check('edits and deletes go out once, over a cut connection too', async () => {
    const [a, b] = [ada.open(room.id), bob.open(room.id)];
    ada.send(room.id, 'to be changed');
    ada.send(room.id, 'to be deleted');
    await until(() => texts(b).includes('to be deleted') && ada.outbox.entries.length === 0, 'both are there');
    const find = (open, text) => open.timeline.messages.find((message) => message.text === text);
    for (const socket of sockets) socket.terminate();
    ada.edit(find(a, 'to be changed'), 'was changed');
    ada.delete(find(a, 'to be deleted'));
    const done = (open) => texts(open).includes('was changed') && !texts(open).includes('to be changed') && !texts(open).includes('to be deleted');
    await until(() => done(a) && done(b), 'changed on both sides');
    await until(() => ada.outbox.entries.length === 0, 'an empty outbox');
    // Nobody changes what somebody else said.
    const entry = bob.edit(find(b, 'was changed'), 'never');
    await until(() => entry.state === 'failed', 'the refusal');
    bob.discard(entry);
  });

  await check('what was said while a room was closed comes on opening it again', async () => {
    const a = ada.open(room.id);
    const before = texts(a).length;
    ada.close(room.id);
    for (const n of [1, 2, 3]) bob.send(room.id, `while away ${n}`);
    await until(() => ada.rooms.get(room.id).last_message?.text === 'while away 3', 'the last of them in the list');
    ada.open(room.id);
    await until(() => texts(a).length === before + 3, 'three more');
    assert.deepEqual(texts(a), texts(bob.open(room.id)));
  });

  await check('a position that the server does not know reloads the page', async () => {
    const a = ada.open(room.id);
    ada.close(room.id);
    a.timeline.position = `00000000-${'f'.repeat(16)}`;
    bob.send(room.id, 'on another page');
    ada.open(room.id);
    await until(() => texts(a).includes('on another page') && a.following, 'the newest page');
    assert.deepEqual(texts(a), texts(bob.open(room.id)).slice(-texts(a).length));
  });

  await check('a refused message is kept, with the reason', async () => {
    const entry = ada.send('no-such-room', 'into the void');
    await until(() => entry.state === 'failed', 'the refusal');
    assert.ok(entry.reason);
    ada.discard(entry);
    assert.equal(ada.connection, 'online');
  });

  await check('a token that no longer counts ends in signing out', async () => {
    const late = new ChatClient({ base: server.base, WebSocket: Cuttable });
    let reason;
    late.on('signedOut', (why) => (reason = why));
    await late.resume('not.a.token');
    assert.equal(reason, 'unauthorized');
    assert.equal(late.connection, 'signed-out');
  });

  await Promise.all([ada.signOut(), bob.signOut()]);
  await server.stop();
}
