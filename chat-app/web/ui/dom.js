/**
 * @typedef {Node | string | undefined | null | false} Child
 */

/**
 * Makes an element. Strings become text nodes, never HTML; `on…` properties become listeners, the rest attributes
 * (`true` = present, `false` or undefined = absent).
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter(present));
  return element;
}

/** Replaces what is in an element. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter(present));
}

/** @param {Child} child @returns {child is Node | string} */
function present(child) {
  return child !== undefined && child !== null && child !== false && child !== '';
}

/** The paths of the icons, drawn on a 24 × 24 grid with strokes. */
const icons = {
  plus: 'M12 5v14M5 12h14',
  back: 'M15 5l-7 7 7 7',
  send: 'M4 12l16-8-6 16-3-7z',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5c2.2 .9 3.5 2.9 3.5 5.5',
  menu: 'M5 7h14M5 12h14M5 17h14',
  down: 'M12 5v14M6 13l6 6 6-6',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 8v4l3 2',
  check: 'M5 13l4 4L19 7',
  checks: 'M2 13l4 4L16 7M11 16l1 1L22 7',
  close: 'M6 6l12 12M18 6L6 18',
  hash: 'M9 4L7 20M17 4l-2 16M4 9h16M3.5 15h16',
  chat: 'M4 5h16v11H9l-5 4z',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5',
  link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
  bell: 'M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 21h4',
  bellOff: 'M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 21h4M4 4l16 16',
};

/** @param {keyof typeof icons} name @param {string} [label] spoken; without it the icon is decoration */
export function icon(name, label) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  if (label) {
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', label);
  } else {
    svg.setAttribute('aria-hidden', 'true');
  }
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', icons[name]);
  svg.append(path);
  return svg;
}

/** @param {keyof typeof icons} name @param {string} label @param {() => void} onclick @param {string} [className] */
export function iconButton(name, label, onclick, className = '') {
  return h('button', { type: 'button', class: `icon-button ${className}`.trim(), 'aria-label': label, title: label, onclick }, icon(name));
}

/** The round mark of a person or room: its first letter on one of twelve colours. @param {string} id @param {string} name */
export function avatar(id, name, className = '') {
  let hue = 0;
  for (const character of id) hue = (hue * 31 + character.charCodeAt(0)) % 12;
  const letter = [...name.trim()][0] ?? '?';
  return h('span', { class: `avatar hue-${hue} ${className}`.trim(), 'aria-hidden': 'true' }, letter.toUpperCase());
}
