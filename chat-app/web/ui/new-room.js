/** Ways into a room: a direct chat, a new group, a public room, an invitation. */
import { t } from '../strings.js';
import { attempt, peoplePicker, problemLine, searcher, show } from './dialog.js';
import { avatar, fill, h, iconButton } from './dom.js';
import { members, titleOf } from './names.js';

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

/** Somebody came by an invitation's link. @param {App} app @param {string} room @param {string} code */
export function inviteDialog(app, room, code) {
  const problem = problemLine();
  const dialog = show(t('invited'), [
    problem,
    h('div', { class: 'actions' },
      h('button', { type: 'button', onclick: () => dialog.close() }, t('cancel')),
      h('button', { type: 'button', class: 'primary', id: 'accept', onclick: () => attempt(problem, async () => {
        await app.chat.join(room, code);
        dialog.close();
        app.show(room);
      }) }, t('join'))),
  ]);
}
