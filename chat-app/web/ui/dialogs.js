import { t } from '../strings.js';
import { avatar, fill, h, iconButton } from './dom.js';
import { roleOf, titleOf } from './names.js';

/** @typedef {import('../app.js').App} App @typedef {import('../types.js').User} User */

/** Starts a direct chat with whom one picks. @param {App} app */
export function newChatDialog(app) {
  const problem = problemLine();
  const dialog = show(t('newChat'), [
    peoplePicker(app, (user) =>
      attempt(problem, async () => {
        const room = await app.chat.createRoom({ kind: 'direct', members: [user.id] });
        dialog.close();
        app.show(room.id);
      })),
    problem,
  ]);
}

/** @param {App} app */
export function newGroupDialog(app) {
  /** @type {Map<string, User>} */
  const chosen = new Map();
  const name = h('input', { id: 'group-name', required: true, maxlength: 128, autocomplete: 'off' });
  const isPublic = h('input', { type: 'checkbox', id: 'group-public' });
  const chips = h('div', { class: 'chips' });
  const problem = problemLine();

  function drawChips() {
    fill(chips, ...[...chosen.values()].map((user) =>
      h('span', { class: 'chip' }, user.name,
        iconButton('close', `${t('discard')}: ${user.name}`, () => (chosen.delete(user.id), drawChips())))));
  }

  /** @param {SubmitEvent} event */
  function onsubmit(event) {
    event.preventDefault();
    void attempt(problem, async () => {
      const room = await app.chat.createRoom({ kind: 'group', name: name.value.trim(), members: [...chosen.keys()], public: isPublic.checked });
      dialog.close();
      app.show(room.id);
    });
  }

  const dialog = show(t('newGroup'), [
    h('form', { onsubmit },
      h('label', { for: 'group-name' }, t('groupName')), name,
      h('label', { class: 'choice' }, isPublic, t('publicRoom')),
      chips,
      peoplePicker(app, (user) => (chosen.set(user.id, user), drawChips())),
      problem,
      h('div', { class: 'actions' },
        h('button', { type: 'button', onclick: () => dialog.close() }, t('cancel')),
        h('button', { type: 'submit', class: 'primary', id: 'create' }, t('create')))),
  ]);
  name.focus();
}

/** Finds and joins public rooms. @param {App} app */
export function browseDialog(app) {
  const problem = problemLine();
  const dialog = show(t('browse'), [
    searcher(t('searchRooms'), true, async (query) => (await app.chat.rest.publicRooms(query)).rooms, (room) => {
      const known = app.chat.rooms.has(room.id);
      const go = () => attempt(problem, async () => {
        if (!known) await app.chat.join(room.id);
        dialog.close();
        app.show(room.id);
      });
      return h('li', {},
        h('button', { type: 'button', 'data-room': room.id, onclick: go },
          avatar(room.id, titleOf(app.chat, room)),
          h('span', { class: 'grow ellipsis' }, titleOf(app.chat, room)),
          room.member_count !== undefined && h('span', { class: 'quiet' }, members(room.member_count)),
          h('span', { class: 'pill' }, known ? t('open') : t('join'))));
    }, t('noRooms')),
    problem,
  ]);
}

/** Who is in a room; adding people, leaving. @param {App} app @param {string} id */
export function membersDialog(app, id) {
  const problem = problemLine();
  const list = h('ul', { class: 'people' });
  const room = app.chat.rooms.get(id);
  if (!room) return;

  async function load() {
    const all = await app.chat.members(id);
    fill(list, ...all.map((member) =>
      h('li', {}, avatar(member.user, member.name ?? member.user),
        h('span', { class: 'grow ellipsis' }, member.name ?? member.user, member.user === app.chat.me?.id && ` (${t('you')})`),
        h('span', { class: 'quiet' }, roleOf(member)))));
  }

  const manages = room.kind === 'group' && (room.role === 'owner' || room.role === 'admin');
  const dialog = show(t('members'), [
    list,
    manages && h('h3', {}, t('addPeople')),
    manages && peoplePicker(app, (user) =>
      attempt(problem, async () => {
        await app.chat.rest.addMember(id, user.id);
        await Promise.all([load(), app.chat.refresh(id)]);
      })),
    problem,
    h('div', { class: 'actions' },
      h('button', { type: 'button', class: 'danger', onclick: () => attempt(problem, async () => {
        await app.chat.leave(id);
        dialog.close();
        app.show(undefined);
      }) }, t('leave'))),
  ]);
  void attempt(problem, load);
}

/** @param {number} count */
export function members(count) {
  return count === 1 ? t('memberCount') : t('membersCount', { n: count });
}

// ---- parts ----

/** @param {string} title @param {(Node | false)[]} children */
function show(title, children) {
  const dialog = h('dialog', { 'aria-label': title, onclose: () => dialog.remove() },
    h('header', {}, h('h2', { class: 'grow' }, title), iconButton('close', t('close'), () => dialog.close())),
    ...children);
  // A click on the backdrop is a click on the dialog itself.
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function problemLine() {
  return h('p', { class: 'problem', role: 'alert' });
}

/** @param {HTMLElement} problem @param {() => Promise<void>} action */
async function attempt(problem, action) {
  fill(problem);
  try {
    await action();
  } catch (error) {
    fill(problem, error instanceof Error ? error.message : String(error));
  }
}

/** @param {App} app @param {(user: User) => void} onpick */
function peoplePicker(app, onpick) {
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
function searcher(label, atOnce, find, row, nothing) {
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
