import { t } from '../strings.js';

/** @typedef {import('../chat-client.js').ChatClient} ChatClient @typedef {import('../types.js').Room} Room */

/** A direct chat is called after the other one. @param {ChatClient} chat @param {Room} room */
export function titleOf(chat, room) {
  if (room.kind === 'group') return room.name || t('room');
  const other = otherIn(chat, room);
  return other ? chat.nameOf(other) : room.name || t('direct');
}

/** What the mark of a room takes its colour from. @param {ChatClient} chat @param {Room} room */
export function markOf(chat, room) {
  return (room.kind === 'direct' && otherIn(chat, room)) || room.id;
}

/** @param {import('../types.js').Member} member */
export function roleOf(member) {
  if (member.role === 'owner') return t('owner');
  if (member.role === 'admin') return t('admin');
  return '';
}

/** A chat with oneself has no other. @param {ChatClient} chat @param {Room} room */
function otherIn(chat, room) {
  return room.members?.find((user) => user !== chat.me?.id) ?? room.members?.[0];
}
