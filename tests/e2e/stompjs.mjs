/** @stomp/stompjs over WebSocket against a running broker. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sleep, until } from './lib/checks.mjs';
import { Connection, Versions } from './lib/stompjs.mjs';

const topic = () => `/topic/e2e.${randomUUID()}`;

/** @param {import('./lib/checks.mjs').Checks} checks @param {string} ws */
export async function stompjs(checks, ws) {
  const check = (name, body) => checks.check(`stompjs: ${name}`, body);

  await check('a message reaches every subscriber', async () => {
    const [a, b] = [await Connection.open(ws), await Connection.open(ws)];
    const place = topic();
    await a.subscribe(place);
    await b.subscribe(place);
    await a.send(place, 'hello', { 'content-type': 'text/plain' });
    for (const side of [a, b]) {
      const got = await side.message();
      assert.equal(got.body, 'hello');
      assert.equal(got.headers.destination, place);
      assert.equal(got.headers['content-type'], 'text/plain');
    }
    await Promise.all([a.close(), b.close()]);
  });

  await check('the best offered version is spoken', async () => {
    for (const [offered, spoken] of [[['1.2', '1.1', '1.0'], '1.2'], [['1.1', '1.0'], '1.1'], [['1.0'], '1.0']]) {
      const a = await Connection.open(ws, { stompVersions: new Versions(offered) });
      assert.equal(a.greeting.version, spoken);
      assert.equal(a.socket.protocol, `v${spoken.replace('.', '')}.stomp`);
      const place = topic();
      await a.subscribe(place);
      await a.send(place, spoken);
      assert.equal((await a.message()).body, spoken);
      await a.close();
    }
  });

  await check('messages keep their order', async () => {
    const a = await Connection.open(ws);
    const place = topic();
    await a.subscribe(place);
    for (let n = 0; n < 200; n += 1) a.client.publish({ destination: place, body: String(n) });
    for (let n = 0; n < 200; n += 1) assert.equal((await a.message()).body, String(n));
    await a.close();
  });

  await check('a goodbye is receipted and closed with 1000', async () => {
    const a = await Connection.open(ws);
    await a.close();
    await until(() => a.closed, 'the close');
    assert.equal(a.closeCode, 1000);
  });

  await check('heart-beats flow both ways', async () => {
    let beats = 0;
    const a = await Connection.open(ws, { heartbeatIncoming: 1500, heartbeatOutgoing: 1500, onHeartbeatReceived: () => (beats += 1) });
    assert.equal(a.greeting['heart-beat'], '1500,1500');
    await until(() => beats >= 3, 'three beats');
    assert.ok(!a.closed, 'the server must see our beats');
    await a.close();
  });

  await check('a commit delivers and an abort does not', async () => {
    const [a, b] = [await Connection.open(ws), await Connection.open(ws)];
    const place = topic();
    await b.subscribe(place);
    const first = a.client.begin();
    await a.send(place, 'never', { transaction: first.id });
    first.abort();
    const second = a.client.begin();
    await a.send(place, 'one', { transaction: second.id });
    await a.send(place, 'two', { transaction: second.id });
    await sleep(200);
    assert.equal(b.messages.length, 0);
    second.commit();
    assert.equal((await b.message()).body, 'one');
    assert.equal((await b.message()).body, 'two');
    await Promise.all([a.close(), b.close()]);
  });

  await check('a binary body arrives byte by byte', async () => {
    const a = await Connection.open(ws);
    const place = topic();
    await a.subscribe(place);
    const body = Uint8Array.from({ length: 16_384 }, (_, n) => n % 256);
    await a.sendBytes(place, body, { 'content-type': 'application/octet-stream' });
    assert.deepEqual((await a.message()).binaryBody, body);
    await a.close();
  });

  await check('unicode and escaped headers survive', async () => {
    const a = await Connection.open(ws);
    const place = `${topic()}.안녕`;
    await a.subscribe(place);
    // No letter right behind the backslash: this client would read the escaped backslash and it as a colon.
    await a.send(place, '안녕하세요 🎉 <b>', { 이름: '값: 콜론', odd: 'a:b\\ c\nd\re' });
    const got = await a.message();
    assert.equal(got.body, '안녕하세요 🎉 <b>');
    assert.equal(got.headers['이름'], '값: 콜론');
    assert.equal(got.headers.odd, 'a:b\\ c\nd\re');
    assert.equal(got.headers.destination, place);
    await a.close();
  });

  await check('a frame in many WebSocket messages is one frame', async () => {
    const a = await Connection.open(ws, { splitLargeFrames: true, maxWebSocketChunkSize: 7 });
    const place = topic();
    await a.subscribe(place);
    await a.send(place, 'in pieces '.repeat(50));
    assert.equal((await a.message()).body, 'in pieces '.repeat(50));
    await a.close();
  });

  await check('a large body arrives', async () => {
    const a = await Connection.open(ws);
    const place = topic();
    await a.subscribe(place);
    const body = '0123456789abcdef'.repeat(60_000);
    await a.send(place, body);
    assert.equal((await a.message()).body, body);
    await a.close();
  });

  await check('unsubscribe ends delivery', async () => {
    const a = await Connection.open(ws);
    const place = topic();
    await a.subscribe(place);
    await a.receipted((receipt) => a.subscription.unsubscribe({ receipt }));
    await a.send(place, 'x');
    await sleep(200);
    assert.equal(a.messages.length, 0);
    await a.close();
  });

  await check('topic subscriptions take every ack mode', async () => {
    const a = await Connection.open(ws);
    for (const mode of ['auto', 'client', 'client-individual']) {
      const place = topic();
      await a.subscribe(place, { ack: mode });
      for (let n = 0; n < 3; n += 1) await a.send(place, `${mode} ${n}`);
      const got = [await a.message(), await a.message(), await a.message()];
      assert.deepEqual(got.map(({ body }) => body), [0, 1, 2].map((n) => `${mode} ${n}`));
      if (mode === 'client') await a.receipted((receipt) => got[2].ack({ receipt }));
      if (mode === 'client-individual') {
        await a.receipted((receipt) => got[1].ack({ receipt }));
        await a.receipted((receipt) => got[0].nack({ receipt }));
        await a.receipted((receipt) => got[2].ack({ receipt }));
      }
    }
    assert.equal(a.errors.length, 0);
    await a.close();
  });

  await check('an ERROR names the fault and closes', async () => {
    const a = await Connection.open(ws);
    a.client.publish({ destination: 'nowhere', body: 'x', headers: { receipt: 'r' } });
    await until(() => a.closed, 'the close');
    assert.equal(a.errors.length, 1);
    assert.ok(a.errors[0].headers.message);
    assert.equal(a.errors[0].headers['receipt-id'], 'r');
  });

  await check('a cut connection comes back by itself', async () => {
    const place = topic();
    const a = await Connection.open(ws, { reconnectDelay: 100 });
    await a.subscribe(place);
    let back;
    const again = new Promise((resolve) => (back = resolve));
    a.onConnect = back;
    a.socket.terminate();
    await again;
    assert.equal(a.sockets, 2);
    await a.subscribe(place);
    await a.send(place, 'back');
    assert.equal((await a.message()).body, 'back');
    await a.close();
  });

  await check('a refused origin gets no socket', async () => {
    const { default: WebSocket } = await import('ws');
    const status = await new Promise((resolve, reject) => {
      const socket = new WebSocket(ws, ['v12.stomp'], { origin: 'https://elsewhere.example' });
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
      socket.on('open', () => resolve('open'));
      socket.on('error', reject);
    });
    assert.equal(status, 403);
  });

  await check('a nacked queue message comes again', async () => {
    const a = await Connection.open(ws);
    const place = `/queue/e2e.${randomUUID()}`;
    await a.send(place, 'again');
    await a.subscribe(place, { ack: 'client-individual' });
    (await a.message()).nack();
    const second = await a.message();
    assert.equal(second.body, 'again');
    assert.equal(second.headers.redelivered, 'true');
    await a.receipted((receipt) => second.ack({ receipt }));
    await a.close();
  });
}
