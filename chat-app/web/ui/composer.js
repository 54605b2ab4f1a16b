import { t } from '../strings.js';
import { fill, h, icon, iconButton } from './dom.js';
import { mentionList } from './mention-list.js';

/** @typedef {import('../types.js').Message} Message */

/** Longer texts than this do not fit a frame; the field does not take them. */
const LONGEST = 15_000;

/**
 * The field to write in. Enter sends, Shift+Enter breaks the line, Arrow up in an empty field edits one's last message, Escape gives a
 * reply or edit up; what is not sent stays as a draft.
 *
 * @param {object} options
 * @param {string} options.draft
 * @param {() => {id: string, name: string}[]} options.people  whom one may mention
 * @param {(user: string) => string} options.nameOf
 * @param {() => Message | undefined} options.last             one's newest message
 * @param {(text: string, more: {reply_to?: string, mentions: string[]}) => void} options.onsend
 * @param {(message: Message, text: string) => void} options.onedit
 * @param {(text: string) => void} options.ondraft
 * @param {(active: boolean) => void} options.ontype
 */
export function composer({ draft, people, nameOf, last, onsend, onedit, ondraft, ontype }) {
  const field = h('textarea', { rows: 1, id: 'composer', maxlength: LONGEST, placeholder: t('write'), 'aria-label': t('write'), enterkeyhint: 'send' });
  const button = h('button', { type: 'submit', class: 'icon-button primary', 'aria-label': t('send'), title: t('send') }, icon('send'));
  const context = h('div', { class: 'context', hidden: true });
  const mentions = mentionList(field, people);
  /** @type {{reply?: Message, edit?: Message}} */
  let about = {};
  field.value = draft;

  function changed() {
    button.disabled = field.value.trim() === '';
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight}px`;
  }

  /** @param {{reply?: Message, edit?: Message}} next */
  function setAbout(next) {
    about = next;
    const message = next.reply ?? next.edit;
    context.hidden = !message;
    fill(context,
      message && h('span', { class: 'grow ellipsis' },
        h('strong', {}, next.edit ? t('edit') : nameOf(message.sender)), ' ', (message.text ?? '').slice(0, 200)),
      message && iconButton('close', t('cancel'), giveUp));
    field.focus();
  }

  function giveUp() {
    if (about.edit) field.value = '';
    setAbout({});
    changed();
  }

  /** @param {Event} [event] */
  function submit(event) {
    event?.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    const { reply, edit } = about;
    field.value = '';
    if (!edit) ondraft('');
    setAbout({});
    changed();
    ontype(false);
    if (edit) {
      if (text !== edit.text) onedit(edit, text);
    } else {
      onsend(text, { reply_to: reply?.id, mentions: people().filter(({ name }) => text.includes(`@${name}`)).map(({ id }) => id) });
    }
    field.focus();
  }

  function oninput() {
    if (!about.edit) ondraft(field.value);
    changed();
    mentions.update();
    ontype(field.value.trim() !== '');
  }

  /** @param {KeyboardEvent} event */
  function onkeydown(event) {
    if (mentions.onkey(event)) return;
    // While a Korean or Japanese syllable is being composed, Enter belongs to the input method.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
    else if (event.key === 'Escape' && (about.reply || about.edit)) giveUp();
    else if (event.key === 'ArrowUp' && field.value === '' && !about.reply) {
      const message = last();
      if (!message) return;
      event.preventDefault();
      edit(message);
    }
  }

  /** @param {Message} message */
  function edit(message) {
    field.value = message.text ?? '';
    setAbout({ edit: message });
    changed();
  }

  field.addEventListener('input', oninput);
  field.addEventListener('keydown', onkeydown);
  requestAnimationFrame(changed);
  return {
    element: h('form', { class: 'composer', onsubmit: submit }, context, mentions.element, h('div', { class: 'write' }, field, button)),
    focus: () => field.focus(),
    edit,
    reply: (/** @type {Message} */ message) => setAbout({ reply: message }),
  };
}
