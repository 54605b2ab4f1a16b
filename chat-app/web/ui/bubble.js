/** One message as it looks. */
import { t } from '../strings.js';
import { avatar, h, icon, iconButton } from './dom.js';
import { clock, withLinks, withMentions } from './format.js';

/**
 * @typedef {import('../types.js').Message} Message
 * @typedef {import('../outbox.js').Entry} Entry
 * @typedef {'delivered' | 'read' | Entry['state']} State
 *
 * @typedef {object} Look
 * @property {Partial<Message> & {sender: string, created_at: string}} message
 * @property {boolean} own
 * @property {boolean} together  it follows another one of the same person
 * @property {string} name
 * @property {boolean} group
 * @property {State} state
 * @property {Entry} [entry]     what is on its way: this message, or an edit or delete of it
 * @property {Message} [quoted]  what it answers, when that is known
 *
 * @typedef {object} Doing
 * @property {import('../chat-client.js').ChatClient} chat
 * @property {(message: Message, at: Element) => void} onmenu
 * @property {(id: string) => void} onquote
 */

/** @param {Look} look @param {Doing} doing */
export function bubble(look, doing) {
  const { message, own, together, name, group, state, entry } = look;
  const { chat } = doing;
  const deleted = message.deleted || entry?.kind === 'delete';
  const text = entry?.kind === 'edit' ? entry.text : message.text;
  const toMe = !own && message.mentions?.includes(chat.me?.id ?? '');
  const known = message.id !== undefined && message.position !== undefined;
  const more = known && !deleted &&
    iconButton('more', t('actions'), () => doing.onmenu(/** @type {Message} */ (message), /** @type {Element} */ (more)), 'more');
  if (more) more.tabIndex = -1;
  return h('div', { class: classes('message', own && 'own', together && 'together', toMe && 'to-me', state), 'data-message': message.id, tabindex: -1 },
    !own && group && (together ? h('span', { class: 'avatar-space' }) : avatar(message.sender, name)),
    h('div', { class: 'bubble' },
      !own && group && !together && h('strong', { class: 'sender' }, name),
      message.reply_to && quote(look, doing),
      deleted ? h('em', { class: 'quiet' }, t('deleted')) : body(text, message, chat),
      h('span', { class: 'meta' },
        (message.edited_at || entry?.kind === 'edit') && !deleted && `${t('edited')} `,
        h('time', { datetime: message.created_at }, clock(message.created_at)),
        own && mark(state)),
    ),
    more,
    entry?.state === 'failed' && h('div', { class: 'refused', role: 'alert' },
      h('span', {}, t('notSent', { reason: entry.reason ?? '' })),
      h('button', { type: 'button', class: 'link', onclick: () => chat.sendAgain(entry) }, t('tryAgain')),
      h('button', { type: 'button', class: 'link', onclick: () => chat.discard(entry) }, t('discard'))),
  );
}

/** What a message answers, in one line that leads there. @param {Look} look @param {Doing} doing */
function quote({ message, quoted }, { chat, onquote }) {
  return h('button', { type: 'button', class: 'quote', onclick: () => onquote(message.reply_to ?? '') },
    quoted && h('strong', { class: 'ellipsis' }, chat.nameOf(quoted.sender)),
    h('span', { class: 'ellipsis' }, quoted ? (quoted.deleted ? t('deleted') : (quoted.text ?? '').slice(0, 200)) : t('earlierMessage')));
}

/** Text with its links and names; never HTML. @param {string | undefined} text
 *  @param {Partial<Message>} message @param {import('../chat-client.js').ChatClient} chat */
function body(text, message, chat) {
  // Content that another client made is shown as what it is.
  if (text === undefined) return h('code', { class: 'text' }, JSON.stringify(message.content ?? {}));
  const names = (message.mentions ?? []).map((user) => chat.nameOf(user));
  const parts = withLinks(text).flatMap(({ text: shown, href }) =>
    href
      ? [h('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, shown)]
      : withMentions(shown, names).map(({ text: part, mention }) => (mention ? h('b', { class: 'mention' }, part) : part)));
  return h('span', { class: 'text' }, ...parts);
}

/** @param {State} state */
function mark(state) {
  switch (state) {
    case 'waiting': return icon('clock', t('sending'));
    case 'delivered': return icon('checks', t('delivered'));
    case 'read': return icon('checks', t('read'));
    case 'failed': return undefined;
    default: return icon('check', t('sent'));
  }
}

/** @param {...(string | false | undefined)} names */
function classes(...names) {
  return names.filter(Boolean).join(' ');
}
