import { t } from '../strings.js';
import { composer } from './composer.js';
import { avatar, fill, h, icon, iconButton } from './dom.js';
import { messageMenu } from './message-menu.js';
import { messageList } from './messages.js';
import { markOf, members, otherIn, titleOf, writers } from './names.js';
import { roomDialog } from './room-details.js';
import { searchDialog } from './search.js';

/**
 * The right side: one room with its head, messages and the field to write in.
 *
 * @param {import('../app.js').App} app
 * @param {string} id
 */
export function roomView(app, id) {
  const { chat } = app;
  const open = chat.open(id);
  const messages = messageList(app, open, chat.rooms.get(id), (message, at) => messageMenu(app, message, at, write));
  const title = h('header', {});
  const problem = h('p', { class: 'problem', role: 'alert' });
  const typing = h('p', { class: 'typing quiet' });
  const write = composer({
    draft: app.draft(id),
    people,
    nameOf: (user) => chat.nameOf(user),
    last: () => open.timeline.messages.findLast(({ sender, deleted, text }) => sender === chat.me?.id && !deleted && text !== undefined),
    ondraft: (text) => app.keepDraft(id, text),
    ontype: (active) => chat.type(id, active),
    onedit: (message, text) => chat.edit(message, text),
    onsend: (text, more) => {
      chat.send(id, text, more);
      void messages.toNewest();
    },
  });
  const element = h('main', { class: 'room' }, title, problem, messages.element, typing, write.element);

  let headed = '';

  /** Whom one may mention here. */
  function people() {
    const all = chat.rooms.get(id)?.members ?? [];
    return all.filter((user) => user !== chat.me?.id).map((user) => ({ id: user, name: chat.nameOf(user) }));
  }

  /** @param {import('../types.js').Room} room */
  function underTitle(room) {
    if (room.kind === 'direct') return chat.online.has(otherIn(chat, room) ?? '') ? t('online') : t('direct');
    const count = room.member_count ?? room.members?.length;
    return count === undefined ? '' : members(count);
  }

  function update() {
    const room = chat.rooms.get(id);
    const name = room ? titleOf(chat, room) : '';
    const under = room ? underTitle(room) : '';
    // Drawn anew only on change, so that its buttons keep the focus.
    if (room && headed !== `${name} ${under}`) {
      headed = `${name} ${under}`;
      const here = room.kind === 'direct' && chat.online.has(otherIn(chat, room) ?? '');
      fill(title,
        iconButton('back', t('back'), () => app.show(undefined), 'back'),
        avatar(markOf(chat, room), name, here ? 'online' : ''),
        h('div', { class: 'grow' }, h('h2', { class: 'ellipsis' }, name), h('span', { class: 'quiet' }, under)),
        iconButton('search', t('searchHere'), () => searchDialog(app, id)),
        iconButton('people', t('members'), () => roomDialog(app, id)));
    }
    fill(problem, open.problem && t('cannotOpen', { reason: open.problem.message }));
    fill(typing, writers(chat, [...open.typing.keys()].filter((user) => user !== chat.me?.id)));
    messages.update();
  }

  update();
  return {
    element,
    update,
    focus: write.focus,
    atEnd: messages.atEnd,
    jump: messages.jump,
    open,
    leave: () => (chat.type(id, false), chat.close(id)),
  };
}

/** What stands on the right while no chat is picked. */
export function noRoomView() {
  return { element: h('main', { class: 'room none' }, icon('chat'), h('p', { class: 'quiet' }, t('pickChat'))) };
}
