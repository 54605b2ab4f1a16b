import { t } from '../strings.js';
import { composer } from './composer.js';
import { members, membersDialog } from './dialogs.js';
import { avatar, fill, h, icon, iconButton } from './dom.js';
import { messageList } from './messages.js';
import { markOf, titleOf } from './names.js';

/**
 * The right side: one room with its head, messages and the field to write in.
 *
 * @param {import('../app.js').App} app
 * @param {string} id
 */
export function roomView(app, id) {
  const { chat } = app;
  const open = chat.open(id);
  const messages = messageList(app, open, chat.rooms.get(id)?.unread ?? 0);
  const title = h('header', {});
  const problem = h('p', { class: 'problem', role: 'alert' });
  const write = composer({
    draft: app.draft(id),
    ondraft: (text) => app.keepDraft(id, text),
    onsend: (text) => {
      chat.send(id, text);
      messages.toEnd();
    },
  });
  const element = h('main', { class: 'room' }, title, problem, messages.element, write.element);

  let headed = '';

  function update() {
    const room = chat.rooms.get(id);
    const name = room ? titleOf(chat, room) : '';
    const count = room?.member_count ?? room?.members?.length;
    // Drawn anew only on change, so that its buttons keep the focus.
    if (room && headed !== `${name} ${count}`) {
      headed = `${name} ${count}`;
      fill(title,
        iconButton('back', t('back'), () => app.show(undefined), 'back'),
        avatar(markOf(chat, room), name),
        h('div', { class: 'grow' },
          h('h2', { class: 'ellipsis' }, name),
          h('span', { class: 'quiet' }, room.kind === 'direct' ? t('direct') : count !== undefined && members(count))),
        iconButton('people', t('members'), () => membersDialog(app, id)));
    }
    fill(problem, open.problem && t('cannotOpen', { reason: open.problem.message }));
    messages.update();
  }

  update();
  return { element, update, focus: write.focus, atEnd: messages.atEnd, open, leave: () => chat.close(id) };
}

/** What stands on the right while no chat is picked. */
export function noRoomView() {
  return { element: h('main', { class: 'room none' }, icon('chat'), h('p', { class: 'quiet' }, t('pickChat'))) };
}
