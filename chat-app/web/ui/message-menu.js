/** What one may do with a message. */
import { t } from '../strings.js';
import { confirm } from './dialog.js';
import { openMenu } from './menu.js';
import { manages } from './names.js';
import { readersDialog } from './readers.js';

/** @typedef {import('../types.js').Message} Message */

/**
 * @param {import('../app.js').App} app
 * @param {Message} message
 * @param {Element} at
 * @param {{reply: (message: Message) => void, edit: (message: Message) => void}} composer
 */
export function messageMenu(app, message, at, composer) {
  const { chat } = app;
  const room = chat.rooms.get(message.room);
  const own = message.sender === chat.me?.id;
  /** @type {import('./menu.js').Item[]} */
  const items = [[t('reply'), () => composer.reply(message)]];
  if (message.text !== undefined) items.push([t('copy'), () => void navigator.clipboard?.writeText(message.text ?? '')]);
  if (own && message.text !== undefined) items.push([t('edit'), () => composer.edit(message)]);
  if (own) items.push([t('readBy'), () => readersDialog(app, message)]);
  if (own || manages(room)) {
    items.push([t('delete'), () => confirm(t('deleteQuestion'), t('delete'), async () => void chat.delete(message)), 'danger']);
  }
  openMenu(at, items);
}
