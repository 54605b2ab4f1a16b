import { t } from '../strings.js';
import { bubble } from './bubble.js';
import { h, iconButton } from './dom.js';
import { dayName, sameDay } from './format.js';

/**
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../types.js').Room} Room
 * @typedef {{key: string, stamp: string, of?: object, about?: object, make: () => HTMLElement}} Item  all but `make` say when to draw anew
 */

/** Messages of one person within this time stand together under one name. */
const TOGETHER = 5 * 60_000;
/** This near to the end counts as being there. */
const NEAR = 80;
/** This near to an end of what is loaded, more is loaded. */
const SOON = 400;
/** More messages than this are never drawn at once; what is cut off comes back when one scrolls there. */
const MOST = 600;

/**
 * The messages of a room: keeps what is drawn and changes only what changed, so that long rooms stay quick.
 *
 * @param {import('../app.js').App} app
 * @param {import('../chat-client.js').Following} open
 * @param {Room | undefined} entering  the room as it was on entering
 * @param {(message: Message, at: Element) => void} onmenu
 */
export function messageList(app, open, entering, onmenu) {
  const { chat } = app;
  const unread = entering?.unread ?? 0;
  /** @type {Map<string, {item: Item, node: HTMLElement}>} */
  const drawn = new Map();
  /** @type {Map<string, Message | undefined>} what is answered and not loaded; undefined while it is asked for */
  const quoted = new Map();
  /** The newest message of an earlier visit: what is unread comes behind it. */
  const seenBefore = open.timeline.messages.at(-1)?.id;
  /** @type {string | undefined} */
  let firstUnread;
  /** @type {((message: Message) => boolean) | undefined} what to bring into view when it is there */
  let target;
  let entered = false;
  /** Above what is loaded there are unread messages. */
  let unreadAbove = false;

  const list = h('div', { class: 'messages', role: 'log', 'aria-label': t('messages'), tabindex: 0, onkeydown: walk });
  const down = iconButton('down', t('toNewest'), () => void toNewest('smooth'), 'to-newest');
  const up = h('button', { type: 'button', class: 'to-unread', hidden: true, onclick: toUnread }, t('toUnread', { n: unread }));
  const element = h('div', { class: 'stage' }, up, list, down);
  list.addEventListener('scroll', onscroll, { passive: true });

  function onscroll() {
    down.hidden = atEnd();
    // A page that comes in is drawn, and looked at again from here: one that does not fill the view does not end the walk.
    if (list.scrollTop < SOON) void open.loadOlder();
    if (belowView() < SOON) void open.loadNewer();
    if (atEnd()) app.seen();
  }

  const belowView = () => list.scrollHeight - list.scrollTop - list.clientHeight;
  const atEnd = () => open.timeline.atEnd && belowView() < NEAR;
  /** @param {ScrollBehavior} [behavior] */
  const toEnd = (behavior = 'instant') => list.scrollTo({ top: list.scrollHeight, behavior });

  /** @param {ScrollBehavior} [behavior] */
  async function toNewest(behavior) {
    if (!open.timeline.atEnd) await open.toNewest();
    toEnd(behavior);
  }

  /** Brings a message into view, wherever in the history it is. @param {string} id */
  async function jump(id) {
    target = (message) => message.id === id;
    if (open.timeline.get(id)) update();
    else if (!(await open.seek({ around_id: id }))) target = undefined;
  }

  async function toUnread() {
    const first = (entering?.read_ordinal ?? 0) + 1;
    target = ({ ordinal }) => ordinal === first;
    unreadAbove = false;
    if (!(await open.seek({ around: first }))) target = undefined;
  }

  /** Arrow keys go from message to message, Enter opens what one may do. @param {KeyboardEvent} event */
  function walk(event) {
    const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('.message')]);
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === 'Enter' && at >= 0) {
      /** @type {HTMLElement | null} */ (all[at].querySelector('.more'))?.click();
    } else if (event.key === 'ArrowUp' && document.activeElement === list) {
      all.at(-1)?.focus();
    } else if ((event.key === 'ArrowUp' || event.key === 'ArrowDown') && at >= 0) {
      all[at + (event.key === 'ArrowUp' ? -1 : 1)]?.focus();
    } else {
      return;
    }
    event.preventDefault();
  }

  function update() {
    const { timeline } = open;
    // Outside the document nothing has a height, and scrolling would be lost.
    if (timeline.position === undefined || !element.isConnected) return;
    if (!entered && unread > 0) findUnread();

    const stick = !target && timeline.atEnd && (!entered || belowView() < NEAR);
    if (entered && timeline.messages.length > MOST) trim(stick);
    const anchor = entered && !stick ? firstInView() : undefined;
    draw(items());

    const aim = target && timeline.messages.find(target);
    if (aim) {
      target = undefined;
      entered = true;
      show(aim.id);
    } else if (!entered) {
      entered = true;
      const line = list.querySelector('.unread-line');
      if (line) line.scrollIntoView({ block: 'center' });
      else toEnd();
    } else if (stick) {
      toEnd();
    } else if (anchor?.node.isConnected) {
      // What one reads stays where it is while messages come in above it.
      list.scrollTop += anchor.node.offsetTop - anchor.top;
    }
    up.hidden = !unreadAbove;
    requestAnimationFrame(onscroll);
  }

  /** Cuts what is far from where one looks. @param {boolean} atEnd */
  function trim(atEnd) {
    if (atEnd || list.scrollTop > belowView()) open.timeline.trimOldest(MOST / 2);
    else open.timeline.trimNewest(MOST / 2);
  }

  function findUnread() {
    const { messages, before } = open.timeline;
    const others = ({ sender = '' }) => sender !== chat.me?.id;
    if (seenBefore === undefined) firstUnread = messages.at(-unread)?.id;
    else firstUnread = messages.slice(messages.findIndex(({ id }) => id === seenBefore) + 1).find(others)?.id;
    unreadAbove = before !== undefined && unread > messages.length;
  }

  function firstInView() {
    for (const child of list.children) {
      const node = /** @type {HTMLElement} */ (child);
      if (node.matches('.message') && node.offsetTop + node.offsetHeight > list.scrollTop) return { node, top: node.offsetTop };
    }
    return undefined;
  }

  /** @param {string} id */
  function show(id) {
    const node = drawn.get(id)?.node;
    node?.scrollIntoView({ block: 'center' });
    node?.classList.add('found');
    setTimeout(() => node?.classList.remove('found'), 2000);
  }

  /** What a message answers; what is not loaded is asked for, once. @param {string | undefined} id */
  function quotedBy(id) {
    if (!id) return undefined;
    const known = open.timeline.get(id) ?? quoted.get(id);
    if (known || quoted.has(id)) return known;
    quoted.set(id, undefined);
    void chat.rest.message(open.id, id).then((message) => (quoted.set(id, message), update()), () => {});
    return undefined;
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
    const group = room?.kind === 'group';
    const doing = { chat, onmenu, onquote: jump };
    for (const message of timeline.messages) {
      before = separators(all, before, message, message.id === firstUnread);
      const own = message.sender === chat.me?.id;
      const together = goesWith(before, message);
      const name = chat.nameOf(message.sender);
      const entry = chat.outbox.about(message.id);
      const state = own ? (entry?.state ?? stateOf(message, room)) : (entry?.state ?? 'sent');
      const answered = quotedBy(message.reply_to);
      all.push({
        key: message.id,
        of: message,
        about: answered,
        stamp: `${together} ${name} ${state} ${entry?.id} ${group}`,
        make: () => bubble({ message, own, together, name, group, state, entry, quoted: answered }, doing),
      });
      before = message;
    }
    for (const entry of timeline.atEnd ? pending : []) {
      const message = { ...entry, id: undefined, sender: chat.me?.id ?? '' };
      before = separators(all, before, message, false);
      const together = goesWith(before, message);
      const answered = quotedBy(message.reply_to);
      all.push({
        key: `out ${entry.id}`,
        about: answered,
        stamp: `${together} ${entry.state}`,
        make: () => bubble({ message, own: true, together, name: '', group: false, state: entry.state, entry, quoted: answered }, doing),
      });
      before = message;
    }
    if (!timeline.atEnd) all.push({ key: 'newer', stamp: '', make: () => h('div', { class: 'note' }, t('loadingNewer')) });
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

  /** How far a message of one's own has come. @param {Message} message @param {Room} [room] @returns {import('./bubble.js').State} */
  function stateOf({ position }, room) {
    const others = (room?.members ?? []).filter((user) => user !== chat.me?.id);
    if (position === undefined || others.length === 0) return 'sent';
    const { readBy, deliveredBy } = open.timeline;
    if (others.every((user) => (readBy.get(user) ?? '') >= position)) return 'read';
    const has = (/** @type {string} */ user) => (readBy.get(user) ?? '') >= position || (deliveredBy.get(user) ?? '') >= position;
    return others.every(has) ? 'delivered' : 'sent';
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
      } else if (known.item.stamp !== item.stamp || known.item.of !== item.of || known.item.about !== item.about) {
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

  return { element, update, atEnd, toNewest, jump };
}

/** @param {{sender: string, created_at: string} | undefined} before @param {{sender: string, created_at: string}} message */
function goesWith(before, message) {
  if (!before || before.sender !== message.sender) return false;
  return new Date(message.created_at).getTime() - new Date(before.created_at).getTime() < TOGETHER;
}
