/** A room's other side: who is in it with which role, its name, invitations, silence, the way out. */
import { t } from '../strings.js';
import { attempt, confirm, peoplePicker, problemLine, show } from './dialog.js';
import { avatar, fill, h, icon } from './dom.js';
import { manages, otherIn, roleOf, titleOf } from './names.js';

/**
 * @typedef {import('../app.js').App} App
 * @typedef {import('../types.js').Room} Room
 * @typedef {import('../types.js').Member} Member
 */

/** @param {App} app @param {string} id */
export function roomDialog(app, id) {
  const { chat } = app;
  const room = chat.rooms.get(id);
  if (!room) return;
  const problem = problemLine();
  const list = h('ul', { class: 'people' });
  const load = async () => fill(list, ...(await chat.members(id)).map(row));
  const again = async () => void (await Promise.all([load(), chat.refresh(id)]));

  /** @param {Member} member */
  function row(member) {
    const name = member.name ?? member.user;
    const me = member.user === chat.me?.id;
    return h('li', { 'data-member': member.user },
      avatar(member.user, name, chat.online.has(member.user) ? 'online' : ''),
      h('span', { class: 'grow ellipsis' }, name, me && ` (${t('you')})`,
        member.online !== undefined && h('span', { class: 'hidden-text' }, member.online ? t('online') : t('away'))),
      me || !mayChange(room, member) ? h('span', { class: 'quiet' }, roleOf(member)) : powers(member));
  }

  /** What one may do with somebody here. @param {Member} member */
  function powers(member) {
    const name = member.name ?? member.user;
    const roles = h('select', { 'aria-label': t('roleFor', { name }), onchange: () =>
      attempt(problem, async () => {
        await chat.rest.putMember(id, member.user, roles.value);
        await again();
      }) },
      ...roleChoices(room).map(([role, label]) => h('option', { value: role, selected: role === member.role }, label)));
    const remove = (/** @type {() => Promise<void>} */ action, /** @type {string} */ question, /** @type {string} */ label) =>
      h('button', { type: 'button', class: 'danger small', onclick: () => confirm(question, label, async () => {
        await action();
        await again();
      }) }, label);
    return h('span', { class: 'powers' }, roles,
      remove(() => chat.rest.removeMember(id, member.user), t('kickQuestion', { name }), t('kick')),
      remove(() => chat.rest.ban(id, member.user), t('banQuestion', { name }), t('ban')));
  }

  const dialog = show(titleOf(chat, room), [
    manages(room) && nameField(app, room, problem),
    h('h3', {}, t('members')),
    list,
    manages(room) && h('h3', {}, t('addPeople')),
    manages(room) && peoplePicker(app, (user) =>
      attempt(problem, async () => {
        await chat.rest.putMember(id, user.id);
        await again();
      })),
    manages(room) && inviteLine(app, id, problem),
    problem,
    h('div', { class: 'actions' }, ...silence(), ...exits()),
  ]);
  void attempt(problem, load);

  function silence() {
    const muted = room?.muted_until !== undefined && room.muted_until > new Date().toISOString();
    return [h('button', { type: 'button', id: 'mute', onclick: () => attempt(problem, async () => {
      await chat.rest.mute(id, muted ? new Date(0).toISOString() : undefined);
      await chat.refresh(id);
      dialog.close();
    }) }, icon(muted ? 'bell' : 'bellOff'), muted ? t('unmute') : t('mute'))];
  }

  function exits() {
    const gone = (/** @type {Promise<unknown>} */ done) => done.then(() => (dialog.close(), app.show(undefined)));
    const other = room?.kind === 'direct' ? otherIn(chat, room) : undefined;
    return [
      other && h('button', { type: 'button', class: 'danger', id: 'block', onclick: () =>
        confirm(t('blockQuestion', { name: chat.nameOf(other) }), t('block'), () => chat.rest.block(other, true)) }, t('block')),
      other && h('button', { type: 'button', id: 'unblock', onclick: () => attempt(problem, () => chat.rest.block(other, false)) }, t('unblock')),
      room?.role === 'owner' && room.kind === 'group' && h('button', { type: 'button', class: 'danger', id: 'delete-room', onclick: () =>
        confirm(t('deleteRoomQuestion'), t('deleteRoom'), () => gone(chat.deleteRoom(id))) }, t('deleteRoom')),
      h('button', { type: 'button', class: 'danger', id: 'leave', onclick: () => attempt(problem, () => gone(chat.leave(id))) }, t('leave')),
    ];
  }
}

/** @param {App} app @param {Room} room @param {HTMLElement} problem */
function nameField(app, room, problem) {
  const name = h('input', { id: 'room-name', value: room.name ?? '', required: true, maxlength: 128, autocomplete: 'off', 'aria-label': t('groupName') });
  const onsubmit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    void attempt(problem, async () => {
      await app.chat.rest.renameRoom(room.id, name.value.trim());
      await app.chat.refresh(room.id);
    });
  };
  return h('form', { class: 'line-form', onsubmit }, name, h('button', { type: 'submit' }, t('rename')));
}

/** Makes a link that lets people in. @param {App} app @param {string} id @param {HTMLElement} problem */
function inviteLine(app, id, problem) {
  const field = h('input', { id: 'invite-link', readonly: true, hidden: true, 'aria-label': t('inviteLink') });
  const make = () => attempt(problem, async () => {
    const { url } = await app.chat.rest.invite(id);
    field.value = new URL(url, location.origin).href;
    field.hidden = false;
    field.select();
    // Only secure contexts may write there; the selected field can be copied anyway.
    await navigator.clipboard?.writeText(field.value).catch(() => {});
  });
  return h('div', { class: 'line-form' }, h('button', { type: 'button', id: 'invite', onclick: make }, icon('link'), t('invite')), field);
}

/** Only owners touch owners. @param {Room | undefined} room @param {Member} member */
function mayChange(room, member) {
  return manages(room) && (room?.role === 'owner' || member.role !== 'owner');
}

/** @param {Room | undefined} room @returns {[string, string][]} */
function roleChoices(room) {
  /** @type {[string, string][]} */
  const choices = [['member', t('member')], ['admin', t('admin')]];
  return room?.role === 'owner' ? [...choices, ['owner', t('owner')]] : choices;
}
