/**
 * kill -9 of the chat server in the middle of sending. The promise: what was receipted is in the history, once;
 * what was not receipted is there at most once, and sending it again under the same id makes it once.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sleep, until } from './lib/checks.mjs';
import { Rest } from './lib/rest.mjs';
import { freePort, root, startChat, temporaryFolder } from './lib/servers.mjs';
import { Connection } from './lib/stompjs.mjs';

/** How many messages a sender has on their way at once: enough that a kill always meets some. */
const WINDOW = 8;
/** A sender that nothing stops, stops here. */
const MOST = 5_000;

/** @param {import('./lib/checks.mjs').Checks} checks @param {number} rounds */
export async function crash(checks, rounds) {
  const data = temporaryFolder();
  const [http, tcp] = [await freePort(), await freePort()];
  let server = await startChat({ data, http, tcp });
  const people = [];
  for (const name of ['ada', 'bob', 'eve', 'py']) people.push(await Rest.account(server.base, name));
  const room = await people[0].call('POST', 'rooms', { kind: 'group', name: 'crash', members: ['bob', 'eve', 'py'] });

  /** Everything that was ever sent: id → its text, and whether its receipt arrived. */
  const sent = new Map();
  let kills = 0;

  for (let round = 1; round <= rounds; round += 1) {
    await checks.check(`crash, round ${round}: receipted messages are in the history once, after kill -9`, async () => {
      const senders = [
        ...people.slice(0, 3).map((person) => sendByStompjs(server.ws, person, room.id, round, sent)),
        sendByStompPy(tcp, people[3], room.id, round, sent),
      ];
      // The kill meets every sender at work: a Python program starts later than the others.
      const atWork = (person) => receiptedCount(sent, (message) => message.round === round && message.sender === person.user.id) > 5;
      await until(() => people.every(atWork), 'some receipts for everybody');
      await sleep(Math.random() * 900);
      await server.kill();
      kills += 1;
      await Promise.all(senders);
      const unsure = [...sent.values()].filter(({ receipted }) => !receipted).length;

      server = await startChat({ data, http, tcp });
      await judge(people[1], room.id, sent);

      // A retry under the same id settles what was unsure.
      for (const person of people) {
        const connection = await Connection.open(server.ws, { connectHeaders: { passcode: person.token } });
        for (const [id, message] of sent) {
          if (message.receipted || message.sender !== person.user.id) continue;
          await connection.send(`/app/rooms.${room.id}.send`, JSON.stringify({ text: message.text }), { 'client-message-id': id });
          message.receipted = true;
        }
        await connection.close();
      }
      const history = await judge(people[2], room.id, sent);
      console.log(`     ${receiptedCount(sent)} receipted, ${unsure} unsure at the kill, ${history} in the history`);
    }, 300_000);
  }
  await checks.check('crash: the server was killed and ends with 0 when asked to', async () => {
    assert.equal(kills, rounds);
    assert.equal(await server.stop(), 0, server.log);
  });
}

const receiptedCount = (sent, wanted = () => true) => [...sent.values()].filter((message) => message.receipted && wanted(message)).length;

/** @returns how many messages the history has */
async function judge(person, room, sent) {
  const wanted = [...sent].filter(([, { receipted }]) => receipted).map(([id]) => id);
  let history = [];
  const complete = async () => {
    history = await person.history(room);
    const there = new Set(history.map((message) => message.client_message_id));
    return wanted.every((id) => there.has(id));
  };
  await until(complete, 'every receipted message in the history').catch((error) => {
    const there = new Set(history.map((message) => message.client_message_id));
    throw new Error(`${error.message}; missing: ${wanted.filter((id) => !there.has(id)).slice(0, 5)} of ${wanted.length}`);
  });

  const ids = history.map((message) => message.client_message_id);
  assert.equal(new Set(ids).size, ids.length, 'a message is there twice');
  for (const message of history) {
    const known = sent.get(message.client_message_id);
    assert.ok(known, `${message.client_message_id} was never sent`);
    assert.equal(message.text, known.text);
    assert.equal(message.sender, known.sender);
  }
  for (let n = 1; n < history.length; n += 1) {
    assert.equal(history[n].ordinal, history[n - 1].ordinal + 1, 'ordinals have no holes');
    assert.ok(history[n].position > history[n - 1].position, 'positions rise with the ordinals');
  }
  return history.length;
}

/** Sends until the connection is cut. */
async function sendByStompjs(ws, person, room, round, sent) {
  const connection = await Connection.open(ws, { connectHeaders: { passcode: person.token } });
  let number = 0;
  const lane = async () => {
    while (!connection.closed && number < MOST) {
      const id = `js-${round}-${person.user.id}-${(number += 1)}`;
      const message = { text: `text of ${id}`, sender: person.user.id, round, receipted: false };
      const receipt = new Promise((resolve) => {
        connection.client.watchForReceipt(id, () => ((message.receipted = true), resolve()));
      });
      sent.set(id, message);
      try {
        connection.client.publish({
          destination: `/app/rooms.${room}.send`,
          body: JSON.stringify({ text: message.text }),
          headers: { 'client-message-id': id, receipt: id },
        });
      } catch {
        return; // cut between the question and the answer
      }
      await Promise.race([receipt, cut]);
    }
  };
  const cut = new Promise((resolve) => (connection.onClose = resolve));
  await Promise.all(Array.from({ length: WINDOW }, lane));
  await connection.close();
}

/** The same with stomp.py over TCP, a program of its own that tells what it sent and what was receipted. */
async function sendByStompPy(port, person, room, round, sent) {
  const venv = join(root, '.cache/venv/bin/python');
  const program = spawn(existsSync(venv) ? venv : 'python3',
    [join(root, 'tests/e2e/stomp_py_sender.py'), String(port), room, `py-${round}-`, String(WINDOW), String(MOST)],
    // The token goes by the environment: arguments are for everyone to see.
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TOKEN: person.token, PYTHONDONTWRITEBYTECODE: '1' } });
  const ended = new Promise((resolve) => program.on('close', resolve));
  for await (const line of createInterface({ input: program.stdout })) {
    const [word, id] = line.split(' ');
    if (word === 'sent') sent.set(id, { text: `text of ${id}`, sender: person.user.id, round, receipted: false });
    if (word === 'receipt') sent.get(id).receipted = true;
  }
  assert.equal(await ended, 0, 'the stomp.py sender failed');
}
