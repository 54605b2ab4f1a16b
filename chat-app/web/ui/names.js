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

/** @param {{role?: string}} member */
export function roleOf(member) {
  if (member.role === 'owner') return t('owner');
  if (member.role === 'admin') return t('admin');
  return '';
}

/** @param {number} count */
export function members(count) {
  return count === 1 ? t('memberCount') : t('membersCount', { n: count });
}

/** Who writes just now, as a sentence; empty when nobody does. @param {ChatClient} chat @param {string[]} users */
export function writers(chat, users) {
  if (users.length > 2) return t('manyWrite');
  const [one, two] = users.map((user) => chat.nameOf(user));
  if (two) return t('twoWrite', { one, two });
  return one ? t('oneWrites', { one }) : '';
}

/** A chat with oneself has no other. @param {ChatClient} chat @param {Room} room */
export function otherIn(chat, room) {
  return room.members?.find((user) => user !== chat.me?.id) ?? room.members?.[0];
}

/** Whether one may look after the others here. @param {Room | undefined} room */
export function manages(room) {
  return room?.kind === 'group' && (room.role === 'owner' || room.role === 'admin');
}
