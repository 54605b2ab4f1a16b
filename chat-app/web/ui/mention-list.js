/** Offers the room's people behind an `@` while one writes. */
import { t } from '../strings.js';
import { avatar, fill, h } from './dom.js';

/** So many are offered at once. */
const MOST = 6;

/**
 * @param {HTMLTextAreaElement} field
 * @param {() => {id: string, name: string}[]} people
 */
export function mentionList(field, people) {
  const list = h('ul', { class: 'mentions', role: 'listbox', id: 'mentions', 'aria-label': t('members'), hidden: true });
  field.setAttribute('aria-controls', 'mentions');
  field.setAttribute('aria-autocomplete', 'list');
  /** @type {{id: string, name: string}[]} */
  let offered = [];
  let chosen = 0;

  /** The word behind the last `@` before the caret. */
  function wanted() {
    return /(?:^|\s)@([^\s@]*)$/.exec(field.value.slice(0, field.selectionStart))?.[1];
  }

  function update() {
    const query = wanted()?.toLowerCase();
    offered = query === undefined ? [] : people().filter(({ name }) => name.toLowerCase().startsWith(query)).slice(0, MOST);
    chosen = 0;
    draw();
  }

  function draw() {
    list.hidden = offered.length === 0;
    field.setAttribute('aria-expanded', String(!list.hidden));
    fill(list, ...offered.map((person, index) =>
      h('li', { role: 'option', id: `mention-${index}`, 'aria-selected': String(index === chosen), onmousedown: (/** @type {Event} */ event) => {
        event.preventDefault(); // the field keeps the focus
        take(person);
      } }, avatar(person.id, person.name), h('span', {}, person.name))));
    if (list.hidden) field.removeAttribute('aria-activedescendant');
    else field.setAttribute('aria-activedescendant', `mention-${chosen}`);
  }

  /** @param {{name: string}} person */
  function take({ name }) {
    const end = field.selectionStart;
    const begin = end - (wanted()?.length ?? 0);
    field.setRangeText(`${name} `, begin, end, 'end');
    offered = [];
    draw();
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was for the list */
  function onkey(event) {
    if (list.hidden || event.isComposing) return false;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      chosen = (chosen + (event.key === 'ArrowDown' ? 1 : -1) + offered.length) % offered.length;
      draw();
    } else if (event.key === 'Enter' || event.key === 'Tab') {
      take(offered[chosen]);
    } else if (event.key === 'Escape') {
      offered = [];
      draw();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  return { element: list, update, onkey };
}
