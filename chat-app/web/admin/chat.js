/** What the chat adds to the broker's admin page, which asks for it and shows it. */
import { Plot, rates } from './plot.js';
import { ago, count, Listing, rate, span } from './view.js';

/** Records that the store may be behind for a moment; more of them is worth a look. */
const LATE = 1_000;
let rooms = [];

const share = ({ hits, misses }) => (hits + misses > 0 ? `${Math.round((100 * hits) / (hits + misses))} %` : '–');

export default {
  title: 'Chat',
  path: 'chat',
  numbers: [
    ['Rooms', (now) => count(now.rooms), (now) => `${count(now.users)} accounts`],
    ['Messages kept', (now) => count(now.messages), () => 'deleted ones counted'],
    ['Log', (now) => rate(now.log.rate), (now) => `${count(now.log.records)} records in all`],
    ['Store behind the log', (now) => (now.store.lag === undefined ? 'unknown' : count(now.store.lag)),
      (now) => (now.store.well ? 'records; writing well' : 'the last attempt to write failed'),
      (now) => !now.store.well || now.store.lag > LATE],
    ['Notifications open', (now) => count(now.notifications.open),
      (now) => (now.notifications.open > 0 ? `the oldest waits ${span(now.notifications.oldest_seconds)}` : 'none waits')],
    ['Notifications given up', (now) => count(now.notifications.dead),
      () => 'chat-app notifications list', (now) => now.notifications.dead > 0],
    ['Notifications due', (now) => count(now.notifications.due), (now) => `${count(now.notifications.sent)} sent, by this process`],
    ...[['Members from memory', 'memberships'], ['Pages from memory', 'newest_pages'], ['Names from memory', 'users']].map(([name, cache]) => [
      name,
      (now) => share(now.caches[cache] ?? { hits: 0, misses: 0 }),
      (now) => `${count(now.caches[cache]?.misses ?? 0)} read from SQL`,
    ]),
  ],
  plots: [
    { plot: new Plot('Log', { names: ['records'], show: rate }), lines: (samples) => [rates(samples, 'records')] },
    { plot: new Plot('Behind', { names: ['store', 'notifications open'], show: count }), lines: (samples) => [samples.map((sample) => sample.lag ?? 0), samples.map((sample) => sample.open)] },
  ],
  lists: [
    new Listing('Rooms', [
      { name: 'Room', show: (row) => row.name ?? row.id },
      { name: 'Kind', show: (row) => row.kind },
      { name: 'Members', number: true, show: (row) => count(row.members) },
      { name: 'Messages', number: true, show: (row) => count(row.messages) },
      { name: 'Last one ago', number: true, show: (row, now) => ago(row.active_at, now) },
    ], async () => ({ rows: rooms }), 'Nobody has written yet.'),
  ],
  /** @param {any} answer what the server said, before it is shown */
  take(answer) {
    rooms = answer.newest_rooms;
  },
};
