/** Finds messages in one's rooms; picking one shows it where it was said. */
import { t } from '../strings.js';
import { searcher, show } from './dialog.js';
import { avatar, fill, h } from './dom.js';
import { when } from './format.js';
import { markOf, titleOf } from './names.js';

/** @param {import('../app.js').App} app @param {string} [room] only there */
export function searchDialog(app, room) {
  const { chat } = app;
  const partial = h('p', { class: 'quiet' });
  const find = async (/** @type {string} */ query) => {
    const found = await chat.rest.search(query, room);
    fill(partial, found.partial && t('searchPartial'));
    return found.messages;
  };
  const dialog = show(t('searchMessages'), [
    searcher(t('searchMessages'), false, find, (message) => {
      const place = chat.rooms.get(message.room);
      const title = place ? titleOf(chat, place) : message.room;
      return h('li', {},
        h('button', { type: 'button', 'data-message': message.id, onclick: () => (dialog.close(), app.show(message.room, message.id)) },
          avatar(place ? markOf(chat, place) : message.room, title),
          h('span', { class: 'summary' },
            h('span', { class: 'line' },
              h('strong', { class: 'grow ellipsis' }, room ? chat.nameOf(message.sender) : title),
              h('time', { datetime: message.created_at }, when(message.created_at))),
            h('span', { class: 'quiet found' }, message.text ?? ''))));
    }, t('nothingFound')),
    partial,
  ]);
}
