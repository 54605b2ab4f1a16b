/** Who has read a message. */
import { t } from '../strings.js';
import { attempt, problemLine, show } from './dialog.js';
import { avatar, fill, h } from './dom.js';
import { clock } from './format.js';

/** @param {import('../app.js').App} app @param {import('../types.js').Message} message */
export function readersDialog(app, message) {
  const problem = problemLine();
  const list = h('ul', { class: 'people' });
  show(t('readBy'), [list, problem]);
  void attempt(problem, async () => {
    const { readers } = await app.chat.rest.readers(message.room, message.id);
    fill(list, ...readers.map(({ user, read_at }) =>
      h('li', { 'data-reader': user }, avatar(user, app.chat.nameOf(user)),
        h('span', { class: 'grow ellipsis' }, app.chat.nameOf(user)),
        read_at && h('time', { class: 'quiet', datetime: read_at }, clock(read_at)))));
    if (readers.length === 0) fill(list, h('li', { class: 'quiet' }, t('nobodyYet')));
  });
}
