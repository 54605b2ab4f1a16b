import { t } from '../strings.js';
import { avatar, h, icon, iconButton } from './dom.js';
import { clock, dayName, sameDay, withLinks } from './format.js';

/**
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../outbox.js').Entry} Entry
 * @typedef {{key: string, stamp: string, of?: object, make: () => HTMLElement}} Item  `stamp` and `of` say when to draw anew
 */

/** Messages of one person within this time stand together under one name. */
const TOGETHER = 5 * 60_000;
/** This near to the end counts as being there. */
const NEAR = 80;

/**
 * The messages of a room: keeps what is drawn and changes only what changed, so that long rooms stay quick.
 *
 * @param {import('../app.js').App} app
 * @param {import('../chat-client.js').OpenRoom} open
 * @param {number} unread how many of the newest messages were unread on entering
 */
export function messageList(app, open, unread) {
  const { chat } = app;
  /** @type {Map<string, {item: Item, node: HTMLElement}>} */
  const drawn = new Map();
  /** The newest message of an earlier visit: what is unread comes behind it. */
  const seenBefore = open.timeline.messages.at(-1)?.id;
  /** @type {string | undefined} */
  let firstUnread;
  let entered = false;

  const list = h('div', { class: 'messages', role: 'log', 'aria-label': t('chats'), tabindex: 0 });
  const down = iconButton('down', t('toNewest'), () => toEnd('smooth'), 'to-newest');
  const element = h('div', { class: 'stage' }, list, down);
  list.addEventListener('scroll', onscroll, { passive: true });

  function onscroll() {
    down.hidden = atEnd();
    if (list.scrollTop < 400) void older();
    if (atEnd()) app.seen();
  }

  async function older() {
    if (open.timeline.before === undefined || open.loadingOlder) return;
    await chat.loadOlder(open.id);
    // A page that does not fill the view must not end the walk upwards.
    if (list.scrollTop < 400 && chat.connection === 'online') requestAnimationFrame(onscroll);
  }

  const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  /** @param {ScrollBehavior} [behavior] */
  const toEnd = (behavior = 'instant') => list.scrollTo({ top: list.scrollHeight, behavior });

  function update() {
    const { timeline } = open;
    // Outside the document nothing has a height, and scrolling would be lost.
    if (timeline.position === undefined || !element.isConnected) return;
    if (unread > 0 && firstUnread === undefined) {
      const messages = timeline.messages;
      if (seenBefore === undefined) firstUnread = messages.at(-unread)?.id;
      else firstUnread = messages.slice(messages.findIndex(({ id }) => id === seenBefore) + 1).find(({ sender }) => sender !== chat.me?.id)?.id;
    }

    const stick = !entered || atEnd();
    const fromEnd = list.scrollHeight - list.scrollTop;
    const oldest = drawn.size ? open.timeline.messages[0]?.id : undefined;
    const grewUpwards = entered && oldest !== undefined && !drawn.has(oldest);
    draw(items());

    if (!entered) {
      entered = true;
      const line = list.querySelector('.unread-line');
      if (line) line.scrollIntoView({ block: 'center' });
      else toEnd();
      requestAnimationFrame(onscroll);
    } else if (stick) {
      toEnd();
    } else if (grewUpwards) {
      // What one reads stays where it is while older messages come in above it.
      list.scrollTop = list.scrollHeight - fromEnd;
    }
    down.hidden = atEnd();
  }

  /** @returns {Item[]} */
  function items() {
    const { timeline } = open;
    const room = chat.rooms.get(open.id);
    const pending = chat.outbox.of(open.id);
    /** @type {Item[]} */
    const all = [];
    if (timeline.before === undefined) {
      const empty = timeline.messages.length + pending.length === 0;
      all.push({ key: 'beginning', stamp: String(empty), make: () => h('div', { class: 'note' }, empty ? t('noMessages') : t('beginning')) });
    } else {
      all.push({ key: 'older', stamp: '', make: () => h('div', { class: 'note' }, t('loadingOlder')) });
    }
    /** @type {{sender: string, created_at: string} | undefined} */
    let before;
    for (const message of timeline.messages) {
      before = separators(all, before, message, message.id === firstUnread);
      const own = message.sender === chat.me?.id;
      const together = goesWith(before, message);
      const name = chat.nameOf(message.sender);
      const read = own && readByAll(message, room);
      all.push({
        key: message.id,
        of: message,
        stamp: `${together} ${name} ${read}`,
        make: () => bubble({ message, own, together, name, group: room?.kind === 'group', state: read ? 'read' : 'sent' }),
      });
      before = message;
    }
    for (const entry of pending) {
      const message = { ...entry, sender: chat.me?.id ?? '' };
      before = separators(all, before, message, false);
      const together = goesWith(before, message);
      all.push({
        key: `out ${entry.id}`,
        stamp: `${together} ${entry.state}`,
        make: () => bubble({ message, own: true, together, name: '', group: false, state: entry.state, entry }),
      });
      before = message;
    }
    return all;
  }

  /**
   * @param {Item[]} all
   * @param {{sender: string, created_at: string} | undefined} before
   * @param {{created_at: string, sender: string}} message
   * @param {boolean} unreadHere
   */
  function separators(all, before, message, unreadHere) {
    if (!before || !sameDay(before.created_at, message.created_at)) {
      const day = dayName(message.created_at);
      all.push({ key: `day ${new Date(message.created_at).toDateString()}`, stamp: day, make: () => h('div', { class: 'day' }, h('span', {}, day)) });
      before = undefined;
    }
    if (unreadHere) {
      all.push({ key: 'unread', stamp: '', make: () => h('div', { class: 'unread-line' }, h('span', {}, t('unreadLine'))) });
      before = undefined;
    }
    return before;
  }

  /** @param {Message} message @param {import('../types.js').Room} [room] */
  function readByAll(message, room) {
    const others = (room?.members ?? []).filter((user) => user !== chat.me?.id);
    const { position } = message;
    return position !== undefined && others.length > 0 && others.every((user) => (open.timeline.readBy.get(user) ?? '') >= position);
  }

  /** @param {Item[]} wanted */
  function draw(wanted) {
    const keys = new Set(wanted.map((item) => item.key));
    for (const [key, { node }] of drawn) {
      if (!keys.has(key)) {
        node.remove();
        drawn.delete(key);
      }
    }
    let place = list.firstChild;
    for (const item of wanted) {
      let known = drawn.get(item.key);
      if (!known) {
        known = { item, node: item.make() };
        drawn.set(item.key, known);
      } else if (known.item.stamp !== item.stamp || known.item.of !== item.of) {
        const node = item.make();
        if (place === known.node) place = node;
        known.node.replaceWith(node);
        known = { item, node };
        drawn.set(item.key, known);
      }
      if (known.node === place) place = place.nextSibling;
      else list.insertBefore(known.node, place);
    }
  }

  /**
   * @param {object} options
   * @param {Partial<Message> & {sender: string, created_at: string}} options.message
   * @param {boolean} options.own
   * @param {boolean} options.together
   * @param {string} options.name
   * @param {boolean} options.group
   * @param {'read' | Entry['state']} options.state
   * @param {Entry} [options.entry]
   */
  function bubble({ message, own, together, name, group, state, entry }) {
    const text = message.deleted ? h('em', { class: 'quiet' }, t('deleted')) : body(message.text ?? '');
    return h('div', { class: `message ${own ? 'own' : ''} ${together ? 'together' : ''} ${state}`, 'data-message': message.id },
      !own && group && (together ? h('span', { class: 'avatar-space' }) : avatar(message.sender, name)),
      h('div', { class: 'bubble' },
        !own && group && !together && h('strong', { class: 'sender' }, name),
        text,
        h('span', { class: 'meta' },
          message.edited_at && !message.deleted && `${t('edited')} `,
          h('time', { datetime: message.created_at }, clock(message.created_at)),
          own && mark(state)),
      ),
      entry?.state === 'failed' && h('div', { class: 'refused', role: 'alert' },
        h('span', {}, t('notSent', { reason: entry.reason ?? '' })),
        h('button', { type: 'button', class: 'link', onclick: () => chat.sendAgain(entry) }, t('tryAgain')),
        h('button', { type: 'button', class: 'link', onclick: () => chat.discard(entry) }, t('discard'))),
    );
  }

  return { element, update, atEnd, toEnd };
}

/** @param {{sender: string, created_at: string} | undefined} before @param {{sender: string, created_at: string}} message */
function goesWith(before, message) {
  if (!before || before.sender !== message.sender) return false;
  return new Date(message.created_at).getTime() - new Date(before.created_at).getTime() < TOGETHER;
}

/** Text with its links; never HTML. @param {string} text */
function body(text) {
  const parts = withLinks(text).map(({ text: shown, href }) =>
    href ? h('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, shown) : shown);
  return h('span', { class: 'text' }, ...parts);
}

/** @param {'read' | Entry['state']} state */
function mark(state) {
  if (state === 'waiting') return icon('clock', t('sending'));
  if (state === 'read') return icon('checks', t('read'));
  return state === 'failed' ? undefined : icon('check', t('sent'));
}
