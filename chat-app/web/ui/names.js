import { t } from '../strings.js';

/** @typedef {import('../types.js').Room} Room @typedef {import('../types.js').Member} Member */

/** @param {Room | undefined} room @param {string} user the name to show for a user id */
export function nameOf(room, user) {
  return room?.members?.find((member) => member.user === user)?.name ?? user;
}

/** A direct chat is called after the other one. @param {Room} room @param {string | undefined} me */
export function titleOf(room, me) {
  if (room.kind === 'group') return room.name || t('room');
  const other = room.members?.find((member) => member.user !== me) ?? room.members?.[0];
  return other?.name ?? other?.user ?? room.name ?? t('direct');
}

/** What the mark of a room takes its colour from. @param {Room} room @param {string | undefined} me */
export function markOf(room, me) {
  return room.kind === 'group' ? room.id : (room.members?.find((member) => member.user !== me)?.user ?? room.id);
}

/** @param {Member} member */
export function roleOf(member) {
  if (member.role === 'owner') return t('owner');
  if (member.role === 'admin') return t('admin');
  return '';
}
