/** The page: puts the views together over one ChatClient and remembers what belongs to this device. */
import { ChatClient } from './chat-client.js';
import { Push } from './push.js';
import { speak, spoken, t } from './strings.js';
import { fill, h } from './ui/dom.js';
import { inviteDialog } from './ui/new-room.js';
import { noRoomView, roomView } from './ui/room.js';
import { roomListView } from './ui/room-list.js';
import { signInView } from './ui/sign-in.js';

/**
 * What the views may ask of the page.
 *
 * @typedef {object} App
 * @property {ChatClient} chat
 * @property {string | undefined} current             the room that is shown
 * @property {(room: string | undefined, message?: string) => void} show  a room, at its end or at one message
 * @property {() => boolean} reading                  the shown room's end is before someone's eyes
 * @property {() => void} seen                        the shown room's end came into view
 * @property {(name: string, password: string, how: {create: boolean, stay: boolean}) => Promise<void>} signIn
 * @property {() => void} signOut
 * @property {(user: import('./types.js').User) => void} renamed  one is called otherwise
 * @property {Push} push                             this browser's notifications
 * @property {() => Promise<void>} toggleNotifications  on a click only
 * @property {() => void} toggleTheme
 * @property {() => void} toggleLanguage
 * @property {(language: string) => void} setLanguage
 * @property {(room: string) => string} draft
 * @property {(room: string, text: string) => void} keepDraft
 */

const chat = new ChatClient({ base: location.origin, storage: sessionStorage });
const root = /** @type {HTMLElement} */ (document.querySelector('#app'));
const banner = h('p', { class: 'banner', role: 'status' });

/** @type {ReturnType<typeof roomListView> | undefined} */
let list;
/** @type {ReturnType<typeof roomView> | undefined} */
let room;
/** @type {string | undefined} the message to bring into view in the next room */
let wanted;

/** @type {App} */
const app = {
  chat,
  current: undefined,
  push: new Push(chat.rest),

  async toggleNotifications() {
    if (app.push.state === 'on') await app.push.turnOff();
    else await app.push.turnOn();
    drawChat();
  },

  show(id, message) {
    const hash = id ? `#/rooms/${encodeURIComponent(id)}` : '#/';
    wanted = message;
    if (location.hash === hash) route();
    else location.hash = hash;
  },

  reading: () => document.visibilityState === 'visible' && document.hasFocus() && !!room?.atEnd(),

  seen() {
    const { timeline } = room?.open ?? {};
    const position = timeline?.messages.at(-1)?.position;
    if (!app.current || !position || !timeline?.atEnd) return;
    if (app.reading()) chat.markRead(app.current, position);
    else if (document.visibilityState === 'visible') chat.markDelivered(app.current, position);
  },

  async signIn(name, password, { create, stay }) {
    const token = create ? await chat.signUp(name, password) : await chat.signIn(name, password);
    // One window, one person, unless asked otherwise: two windows can then be two people.
    (stay ? localStorage : sessionStorage).setItem('token', token);
  },

  // The browser is unbound first: whoever sits here next must not see what is said to this person.
  signOut: () => void app.push.turnOff().finally(() => chat.signOut()),

  renamed(user) {
    if (!chat.me) return;
    chat.me = { ...chat.me, ...user };
    chat.names.set(user.id, user.name);
    drawChat();
  },

  toggleTheme() {
    const dark = getComputedStyle(document.documentElement).colorScheme === 'dark' ||
      (document.documentElement.dataset.theme === undefined && matchMedia('(prefers-color-scheme: dark)').matches);
    setTheme(dark ? 'light' : 'dark');
    localStorage.setItem('theme', dark ? 'light' : 'dark');
  },

  toggleLanguage() {
    app.setLanguage(spoken() === 'ko' ? 'en' : 'ko');
    drawChat();
  },

  setLanguage(language) {
    document.documentElement.lang = speak(language);
    localStorage.setItem('language', language);
  },

  draft: (id) => sessionStorage.getItem(`draft:${id}`) ?? '',

  keepDraft(id, text) {
    if (text) sessionStorage.setItem(`draft:${id}`, text);
    else sessionStorage.removeItem(`draft:${id}`);
  },
};

// ---- drawing ----

/** @param {string} [notice] */
function drawSignIn(notice) {
  list = room = undefined;
  app.current = undefined;
  document.title = t('app');
  fill(root, signInView(app, notice).element);
}

function drawChat() {
  room?.leave();
  room = undefined;
  list = roomListView(app);
  fill(root, banner, h('div', { class: 'chat' }, list.element, noRoomView().element));
  drawConnection();
  route();
}

/** The address names the shown room, so that reload and the back button do what one expects. */
function route() {
  if (!list) return;
  const id = decodeURIComponent(/^#\/rooms\/([^/]+)$/.exec(location.hash)?.[1] ?? '');
  const known = chat.rooms.has(id);
  invitation();
  if (app.current === (known ? id : undefined) && (room || !known)) return goToWanted();
  room?.leave();
  app.current = known ? id : undefined;
  room = known ? roomView(app, id) : undefined;
  const view = room ?? noRoomView();
  root.querySelector('.room')?.replaceWith(view.element);
  root.querySelector('.chat')?.classList.toggle('in-room', known);
  room?.update();
  if (matchMedia('(hover: hover)').matches) room?.focus();
  goToWanted();
  app.seen();
  drawList();
}

function goToWanted() {
  if (!room || !wanted) return;
  void room.jump(wanted);
  wanted = undefined;
}

/** A link that somebody was sent: `#/rooms/ROOM/join/CODE`. */
function invitation() {
  const [, id, code] = /^#\/rooms\/([^/]+)\/join\/([^/]+)$/.exec(location.hash) ?? [];
  if (!id || !code || !chat.ready) return;
  history.replaceState(undefined, '', '#/');
  if (chat.rooms.has(decodeURIComponent(id))) app.show(decodeURIComponent(id));
  else inviteDialog(app, decodeURIComponent(id), decodeURIComponent(code));
}

function drawList() {
  list?.update();
  const unread = [...chat.rooms.values()].reduce((sum, { id, unread: count = 0 }) => sum + (id === app.current && app.reading() ? 0 : count), 0);
  document.title = unread > 0 ? `(${unread}) ${t('app')}` : t('app');
}

/** A short break is not worth a banner; one that lasts is. @type {ReturnType<typeof setTimeout> | undefined} */
let bannerTimer;
function drawConnection() {
  clearTimeout(bannerTimer);
  const { connection } = chat;
  if (connection === 'online') {
    fill(banner);
    delete banner.dataset.state;
    return;
  }
  bannerTimer = setTimeout(() => {
    banner.dataset.state = connection;
    fill(banner, connection === 'offline' ? t('offline') : t('connecting'));
  }, 400);
}

/** @param {string} theme */
function setTheme(theme) {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
}

// ---- what happens ----

chat.on('connection', (connection) => {
  if (connection !== 'signed-out' && chat.me && !list) {
    drawChat();
    void app.push.renew();
  }
  else drawConnection();
});
chat.on('rooms', () => {
  drawList();
  route();
  room?.update();
});
chat.on('room', (id) => {
  if (id !== app.current) return;
  room?.update();
  app.seen();
});
chat.on('signedOut', (reason) => {
  sessionStorage.removeItem('token');
  localStorage.removeItem('token');
  drawSignIn(reason === 'left' ? undefined : t('sessionOver'));
});
chat.on('notice', (notice) => void app.push.show(notice));
app.push.onOpen((url) => {
  location.hash = new URL(url, location.origin).hash;
});
chat.on('problem', (problem) => console.warn(`refused: ${problem.code}: ${problem.message}`));

addEventListener('hashchange', route);
addEventListener('online', () => chat.reconnect());
for (const event of ['focus', 'visibilitychange']) {
  addEventListener(event, () => {
    chat.reconnect();
    app.seen();
    drawList();
  });
}

// ---- start ----

setTheme(localStorage.getItem('theme') ?? '');
document.documentElement.lang = speak(localStorage.getItem('language') ?? navigator.language);
const token = sessionStorage.getItem('token') ?? localStorage.getItem('token');
if (token) {
  fill(root, banner);
  void chat.resume(token);
} else {
  drawSignIn();
}
