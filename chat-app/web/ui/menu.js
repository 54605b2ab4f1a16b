/** Small menus; the browser closes them on Escape and on a click elsewhere. */
import { h } from './dom.js';

/** @typedef {[string, () => void, string?]} Item  label, what it does, class */

/** A button with a menu under it. @param {string} id @param {HTMLButtonElement} button @param {Item[]} items */
export function menuButton(id, button, items) {
  button.setAttribute('popovertarget', id);
  return h('span', {}, button, popover(items, { id }));
}

/** Opens a menu next to what was clicked, and removes it when it closes. @param {Element} at @param {Item[]} items */
export function openMenu(at, items) {
  const menu = popover(items, { class: 'menu near' });
  menu.addEventListener('toggle', (event) => /** @type {ToggleEvent} */ (event).newState === 'closed' && menu.remove());
  document.body.append(menu);
  menu.showPopover();
  const box = at.getBoundingClientRect();
  const left = Math.min(box.left, innerWidth - menu.offsetWidth - 8);
  const below = box.bottom + menu.offsetHeight + 8 < innerHeight;
  menu.style.left = `${Math.max(8, left)}px`;
  menu.style.top = `${Math.max(8, below ? box.bottom + 4 : box.top - menu.offsetHeight - 4)}px`;
  menu.querySelector('button')?.focus();
}

/** @param {Item[]} items @param {Record<string, any>} props */
function popover(items, props) {
  const menu = h('div', { class: 'menu', popover: 'auto', onkeydown: walk, ...props });
  for (const [label, action, className] of items) {
    menu.append(h('button', { type: 'button', class: className, onclick: () => (menu.hidePopover(), action()) }, label));
  }
  return menu;
}

/** Arrow keys go from item to item. @param {KeyboardEvent} event */
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const menu = /** @type {HTMLElement} */ (event.currentTarget);
  const all = [...menu.querySelectorAll('button')];
  const at = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
  all[(at + step + all.length) % all.length].focus();
}
