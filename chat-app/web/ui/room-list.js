import { t } from '../strings.js';
import { avatar, fill, h, icon, iconButton } from './dom.js';
import { when } from './format.js';
import { menuButton } from './menu.js';
import { markOf, titleOf } from './names.js';
import { browseDialog, newChatDialog, newGroupDialog } from './new-room.js';
import { searchDialog } from './search.js';
import { settingsDialog } from './settings.js';

/**
 * The left column: who one is, the menus, and the chats with their newest message.
 *
 * @param {import('../app.js').App} app
 */
export function roomListView(app) {
  const { chat } = app;
  const list = h('ul', { class: 'rooms' });
  const element = h('aside', { class: 'sidebar', 'aria-label': t('chats') },
    h('header', {},
      avatar(chat.me?.id ?? '', chat.me?.name ?? ''),
      h('strong', { class: 'grow ellipsis', id: 'me' }, chat.me?.name),
      iconButton('search', t('searchMessages'), () => searchDialog(app)),
      menuButton('new-menu', iconButton('plus', t('newChat'), () => {}), [
        [t('newChat'), () => newChatDialog(app)],
        [t('newGroup'), () => newGroupDialog(app)],
        [t('browse'), () => browseDialog(app)],
      ]),
      menuButton('main-menu', iconButton('menu', t('menu'), () => {}), [
        [t('settings'), () => void settingsDialog(app)],
        ...notifications(app),
        [t('theme'), () => app.toggleTheme()],
        [t('language'), () => app.toggleLanguage()],
        [t('signOut'), () => app.signOut()],
      ]),
    ),
    h('nav', { 'aria-label': t('chats') }, list),
  );

  function update() {
    const rooms = chat.sortedRooms();
    if (chat.ready && rooms.length === 0) {
      fill(list, h('li', { class: 'empty' }, icon('chat'), h('strong', {}, t('noChats')), h('span', { class: 'quiet' }, t('noChatsHint'))));
      return;
    }
    // Focus survives the redraw: the list changes under a person who walks it with the keyboard.
    const focused = list.contains(document.activeElement) ? document.activeElement?.getAttribute('data-room') : undefined;
    fill(list, ...rooms.map(row));
    if (focused) list.querySelector(`[data-room="${CSS.escape(focused)}"]`)?.closest('button')?.focus();
  }

  /** @param {import('../types.js').Room} room */
  function row(room) {
    const title = titleOf(chat, room);
    const last = room.last_message;
    const current = app.current === room.id;
    const unread = current && app.reading() ? 0 : (room.unread ?? 0);
    return h('li', {},
      h('button', { type: 'button', 'data-room': room.id, 'aria-current': current ? 'true' : undefined, onclick: () => app.show(room.id) },
        avatar(markOf(chat, room), title),
        h('span', { class: 'summary' },
          h('span', { class: 'line' },
            room.kind === 'group' && room.public && icon('hash'),
            isMuted(room) && icon('bellOff', t('muted')),
            h('strong', { class: 'grow ellipsis' }, title),
            last && h('time', { datetime: last.created_at }, when(last.created_at)),
          ),
          h('span', { class: 'line' },
            h('span', { class: 'grow ellipsis quiet' }, preview(room)),
            unread > 0 && h('span', { class: 'badge', 'aria-label': t('unread', { n: unread }) }, unread > 99 ? '99+' : String(unread)),
          ),
        ),
      ),
    );
  }

  /** @param {import('../types.js').Room} room */
  function preview(room) {
    const last = room.last_message;
    if (!last) return '';
    if (last.deleted) return t('deleted');
    const text = (last.text ?? '').slice(0, 200);
    if (last.sender === chat.me?.id) return `${t('you')}: ${text}`;
    return room.kind === 'group' ? `${chat.nameOf(last.sender)}: ${text}` : text;
  }

  update();
  return { element, update };
}

/** The click that browsers ask for before a page may notify. @param {import('../app.js').App} app @returns {import('./menu.js').Item[]} */
function notifications({ push, toggleNotifications }) {
  if (push.state === 'unsupported') return [];
  const label = { on: t('notifyOff'), off: t('notifyOn'), denied: t('notifyDenied') }[push.state];
  return [[label, () => void toggleNotifications()]];
}

/** @param {import('../types.js').Room} room */
function isMuted({ muted_until: until }) {
  return until !== undefined && until > new Date().toISOString();
}
