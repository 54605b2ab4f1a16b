import { t } from '../strings.js';
import { h, icon } from './dom.js';

/** Longer texts than this do not fit a frame; the field does not take them. */
const LONGEST = 15_000;

/**
 * The field to write in. Enter sends, Shift+Enter breaks the line; what is not sent stays as a draft.
 *
 * @param {{draft: string, onsend: (text: string) => void, ondraft: (text: string) => void}} options
 */
export function composer({ draft, onsend, ondraft }) {
  const field = h('textarea', { rows: 1, id: 'composer', maxlength: LONGEST, placeholder: t('write'), 'aria-label': t('write'), enterkeyhint: 'send' });
  const button = h('button', { type: 'submit', class: 'icon-button primary', 'aria-label': t('send'), title: t('send') }, icon('send'));
  field.value = draft;

  function changed() {
    button.disabled = field.value.trim() === '';
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight}px`;
  }

  /** @param {Event} [event] */
  function submit(event) {
    event?.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = '';
    ondraft('');
    changed();
    onsend(text);
    field.focus();
  }

  field.addEventListener('input', () => (ondraft(field.value), changed()));
  field.addEventListener('keydown', (event) => {
    // While a Korean or Japanese syllable is being composed, Enter belongs to the input method.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
  });
  requestAnimationFrame(changed);
  return { element: h('form', { class: 'composer', onsubmit: submit }, field, button), focus: () => field.focus() };
}
