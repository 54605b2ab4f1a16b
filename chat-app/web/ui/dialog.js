/** What dialogs are made of. */
import { t } from '../strings.js';
import { avatar, fill, h, iconButton } from './dom.js';

/** @typedef {import('../app.js').App} App @typedef {import('../types.js').User} User */

/** @param {string} title @param {import('./dom.js').Child[]} children */
export function show(title, children) {
  const dialog = h('dialog', { 'aria-label': title, onclose: () => dialog.remove() },
    h('header', {}, h('h2', { class: 'grow' }, title), iconButton('close', t('close'), () => dialog.close())),
    ...children);
  // A click on the backdrop is a click on the dialog itself.
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before something that cannot be taken back. @param {string} question @param {string} action @param {() => Promise<void>} then */
export function confirm(question, action, then) {
  const problem = problemLine();
  const dialog = show(question, [
    problem,
    h('div', { class: 'actions' },
      h('button', { type: 'button', onclick: () => dialog.close() }, t('cancel')),
      h('button', { type: 'button', class: 'danger', id: 'confirm', onclick: () => attempt(problem, async () => {
        await then();
        dialog.close();
      }) }, action)),
  ]);
}

export function problemLine() {
  return h('p', { class: 'problem', role: 'alert' });
}

/** @param {HTMLElement} problem @param {() => Promise<void>} action @returns {Promise<boolean>} whether it was done */
export async function attempt(problem, action) {
  fill(problem);
  try {
    await action();
    return true;
  } catch (error) {
    fill(problem, error instanceof Error ? error.message : String(error));
    return false;
  }
}

/** @param {App} app @param {(user: User) => void} onpick */
export function peoplePicker(app, onpick) {
  return searcher(t('searchPeople'), false, (query) => app.chat.findPeople(query), (user) =>
    h('li', {},
      h('button', { type: 'button', 'data-user': user.id, onclick: () => onpick(user) },
        avatar(user.id, user.name),
        h('span', { class: 'grow ellipsis' }, user.name),
        user.name.toLowerCase() !== user.id && h('span', { class: 'quiet' }, user.id))), t('noPeople'));
}

/**
 * A field that searches while one types, and what it found.
 *
 * @template T
 * @param {string} label
 * @param {boolean} atOnce whether an empty field shows everything
 * @param {(query: string) => Promise<T[]>} find
 * @param {(found: T) => Node} row
 * @param {string} nothing
 */
export function searcher(label, atOnce, find, row, nothing) {
  const results = h('ul', { class: 'people' });
  const input = h('input', { type: 'search', placeholder: label, 'aria-label': label, autocomplete: 'off', autocapitalize: 'none' });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function search() {
    const query = input.value.trim();
    if (!query && !atOnce) return fill(results);
    try {
      const found = await find(query);
      // Answers may overtake each other; only the one to what stands there now counts.
      if (query !== input.value.trim()) return;
      fill(results, ...(found.length ? found.map(row) : [h('li', { class: 'quiet' }, nothing)]));
    } catch (error) {
      fill(results, h('li', { class: 'problem' }, error instanceof Error ? error.message : String(error)));
    }
  }

  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(search, 200);
  });
  // Enter searches; it must not submit the form around the field.
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      void search();
    }
  });
  if (atOnce) void search();
  return h('div', { class: 'searcher' }, input, results);
}
