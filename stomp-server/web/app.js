/** The admin page: asks the server every two seconds and shows what it says. */
import { ask, token, TokenNeeded } from './api.js';
import { Board } from './board.js';
import { Plot, rates } from './plot.js';
import { ago, bytes, count, element, Listing, rate, span } from './view.js';

const EVERY = 2_000;
/** Rows of a list on the page; the API gives more at once. */
const ROWS = 25;
const $ = (id) => document.getElementById(id);

/** What the numbers are called, and when they are an alarm. */
const NUMBERS = [
  ['Connections', (now) => count(now.connections)],
  ['Subscriptions', (now) => count(now.subscriptions)],
  ['Accepted', (now) => rate(now.rates.accepted), (now) => `${count(now.totals.accepted)} in all`],
  ['Frames in', (now) => rate(now.rates.frames_received), (now) => `${count(now.totals.frames_received)} in all`],
  ['Frames out', (now) => rate(now.rates.frames_sent), (now) => `${count(now.totals.frames_sent)} in all`],
  ['Waiting to be read', (now) => bytes(now.outbound_bytes)],
  ['Slow consumers', (now) => count(now.totals.slow_consumers), (now) => `${count(now.totals.dropped)} dropped`, (now) => now.totals.slow_consumers > 0],
  ['Refused logins', (now) => count(now.totals.logins_refused), (now) => `${count(now.totals.logins)} accepted`],
  ['Journal', (now) => (now.storage.journal_bytes === undefined ? 'none' : bytes(now.storage.journal_bytes)), (now) => (now.storage.lag === undefined ? '' : `${count(now.storage.lag)} to take over`)],
  ['Memory', (now) => (now.memory_bytes === undefined ? 'unknown' : bytes(now.memory_bytes)), (now) => `ring ${bytes(now.storage.ring_bytes)}, queues ${bytes(now.storage.queue_bytes)}`],
];

const list = (path, name) => async (after) => {
  const answer = await ask(path, { limit: ROWS, ...(after !== undefined && { after }) });
  return { rows: answer[name], next: answer.next };
};

const PLOTS = [
  { plot: new Plot('Messages', { names: ['accepted', 'frames out'], show: rate }), lines: (samples) => [rates(samples, 'total_accepted'), rates(samples, 'total_frames_sent')] },
  { plot: new Plot('Traffic', { names: ['in', 'out'], show: (value) => `${bytes(value)}/s`, binary: true }), lines: (samples) => [rates(samples, 'total_bytes_received'), rates(samples, 'total_bytes_sent')] },
  { plot: new Plot('Connections', { names: ['open'], show: count }), lines: (samples) => [samples.map((sample) => sample.connections)] },
  { plot: new Plot('Memory', { names: ['process', 'waiting to be read'], show: bytes, binary: true }), lines: (samples) => [samples.map((sample) => sample.memory_bytes ?? 0), samples.map((sample) => sample.outbound_bytes)] },
];

const LISTS = [
  new Listing('Connections', [
    { name: 'No.', number: true, show: (row) => String(row.number) },
    { name: 'User', show: (row) => row.user ?? '–' },
    { name: 'Address', show: (row) => row.address ?? '–' },
    { name: 'Transport', show: (row) => row.transport },
    { name: 'STOMP', show: (row) => row.version ?? 'no login yet' },
    { name: 'For', number: true, show: (row, now) => ago(row.since, now) },
    { name: 'Quiet for', number: true, show: (row, now) => ago(row.last_activity, now) },
    { name: 'Subscriptions', number: true, show: (row) => count(row.subscriptions) },
    { name: 'Received', number: true, show: (row) => bytes(row.bytes_received) },
    { name: 'Sent', number: true, show: (row) => bytes(row.bytes_sent) },
    { name: 'Waiting', number: true, show: (row) => bytes(row.outbound_bytes), alarm: (row) => row.outbound_bytes > 512 * 1024 },
    { name: 'Dropped', number: true, show: (row) => count(row.dropped), alarm: (row) => row.dropped > 0 },
  ], list('connections', 'connections'), 'Nobody is connected.'),
  new Listing('Queues', [
    { name: 'Queue', show: (row) => row.name },
    { name: 'Messages', number: true, show: (row) => count(row.messages) },
    { name: 'Unacknowledged', number: true, show: (row) => count(row.unacked) },
    { name: 'Returned', number: true, show: (row) => count(row.returned) },
    { name: 'Consumers', number: true, show: (row) => count(row.consumers), alarm: (row) => row.consumers === 0 && row.messages > 0 },
  ], list('queues', 'queues'), 'There are no queues.'),
  new Listing('Subscriptions', [
    { name: 'Destination', show: (row) => row.destination },
    { name: 'User', show: (row) => row.user ?? '–' },
    { name: 'Connection', number: true, show: (row) => String(row.connection) },
    { name: 'Acknowledges', show: (row) => (row.acks ? `yes, ${count(row.prefetch)} at once` : 'no') },
    { name: 'Durable', show: (row) => (row.durable ? 'yes' : 'no') },
  ], list('subscriptions', 'subscriptions'), 'Nobody has subscribed.'),
  new Listing('Slow consumers', [
    { name: 'Ago', number: true, show: (row, now) => ago(row.at, now) },
    { name: 'Connection', number: true, show: (row) => String(row.connection) },
    { name: 'User', show: (row) => row.user ?? '–' },
    { name: 'Address', show: (row) => row.address ?? '–' },
    { name: 'What happened', show: (row) => (row.dropped === undefined ? 'disconnected' : `${count(row.dropped)} messages dropped`) },
  ], async () => ({ rows: (await ask('slow-consumers')).slow_consumers }), 'Everybody has read fast enough.'),
];

const board = new Board(NUMBERS, PLOTS, LISTS);
/** What the program around the broker shows: `{ title, path, numbers, plots, lists, take? }`, from a script of its own. */
let part;
let partBoard;

/** Shows the program's part above the broker's, once there is one. @param {string} script */
async function findPart(script) {
  part = (await import(`./${script}`)).default;
  partBoard = new Board(part.numbers, part.plots, part.lists);
  const title = (text) => element('h2', { className: 'part' }, text);
  $('board').replaceChildren(title(part.title), partBoard.element, title('Connections and broker'), board.element);
}

/** Its answer has numbers and samples, and what `take` keeps for its lists. @param {string} now by the server's clock */
async function lookAtPart(now) {
  const answer = await ask(part.path);
  part.take?.(answer);
  partBoard.draw(answer, answer);
  await partBoard.refresh(now);
}

function show(now, history) {
  $('server').textContent = now.server.replace('/', ' ');
  $('about').textContent = `Receipts survive: ${now.durability}. Up for ${span(now.uptime_seconds)}.`;
  board.draw(now, history);
}

/** What the page is at: asking for a token, or showing the board. */
function state(name, words = '') {
  $('sign-in').hidden = name !== 'token';
  $('board').hidden = name === 'token' || !board.isDrawn;
  $('forget').hidden = name === 'token' || token.get() === null;
  $('state').hidden = name === 'token' || words === '';
  $('state').textContent = words;
  $('state').classList.toggle('warn', name === 'lost');
}

async function look() {
  try {
    const [now, history] = await Promise.all([ask('overview'), ask('history')]);
    if (now.part && !part) await findPart(now.part);
    if (part) await lookAtPart(now.now);
    show(now, history);
    await board.refresh(now.now);
    state('board', now.stopping ? 'going away' : '');
    return true;
  } catch (error) {
    if (error instanceof TokenNeeded) {
      $('refusal').textContent = token.get() === null ? '' : 'The server does not take this token.';
      token.forget();
      state('token');
      $('token').focus();
      return false;
    }
    state('lost', 'no answer; trying again');
    return true;
  }
}

/** One look at a time; none while nobody sees the page. */
async function keepLooking() {
  for (;;) {
    if (!document.hidden && !(await look())) return;
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

$('board').replaceChildren(board.element);
$('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  token.set($('token').value.trim());
  $('token').value = '';
  void keepLooking();
});
$('forget').addEventListener('click', () => {
  token.forget();
  location.reload();
});
void keepLooking();
