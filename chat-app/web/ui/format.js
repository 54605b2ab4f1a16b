import { spoken, t } from '../strings.js';

/** The reader's own way to write times, if it belongs to the language spoken here: en-GB, not just en. */
function locale() {
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith(spoken())) ?? spoken();
}

/** Days, not spans of 24 hours: what a calendar says. @param {string | Date} time */
function dayOf(time) {
  const date = new Date(time);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** @param {string} a @param {string} b */
export function sameDay(a, b) {
  return dayOf(a) === dayOf(b);
}

/** @param {string} time */
export function clock(time) {
  return new Date(time).toLocaleTimeString(locale(), { hour: '2-digit', minute: '2-digit' });
}

/** @param {string} time */
export function dayName(time) {
  const days = Math.round((dayOf(new Date()) - dayOf(time)) / 86_400_000);
  if (days === 0) return t('today');
  if (days === 1) return t('yesterday');
  const date = new Date(time);
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : 'numeric';
  return date.toLocaleDateString(locale(), { weekday: 'long', day: 'numeric', month: 'long', year });
}

/** Short form for the room list. @param {string} time */
export function when(time) {
  if (sameDay(time, new Date().toISOString())) return clock(time);
  return new Date(time).toLocaleDateString(locale(), { day: 'numeric', month: 'short' });
}

/**
 * Text cut at its web addresses, so that they can become links.
 * Only http and https count; closing punctuation stays text.
 *
 * @param {string} text
 * @returns {{text: string, href?: string}[]}
 */
export function withLinks(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']+/gi)) {
    const found = match[0].replace(/[.,;:!?)\]}]+$/, '');
    const href = webAddress(found);
    if (!href) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index) });
    parts.push({ text: found, href });
    end = match.index + found.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

/** @param {string} text */
function webAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Text cut at the names that it mentions.
 *
 * @param {string} text
 * @param {string[]} names
 * @returns {{text: string, mention?: boolean}[]}
 */
export function withMentions(text, names) {
  /** @type {{text: string, mention?: boolean}[]} */
  const parts = [];
  // The longest name first: "@ann" must not eat the beginning of "@anna".
  const marks = names.map((name) => `@${name}`).sort((a, b) => b.length - a.length);
  let plain = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const mark = marks.find((mark) => text.startsWith(mark, at));
    if (!mark) continue;
    if (at > plain) parts.push({ text: text.slice(plain, at) });
    parts.push({ text: mark, mention: true });
    plain = at + mark.length;
    at = plain - 1;
  }
  if (plain < text.length) parts.push({ text: text.slice(plain) });
  return parts;
}
