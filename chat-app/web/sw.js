/** Shows pushes while no page is there, and brings whoever clicks one to its room. */
const worker = /** @type {any} */ (self);

// A new version serves at once: it keeps nothing that an old page could miss.
worker.addEventListener('install', () => worker.skipWaiting());
worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener('push', (/** @type {any} */ event) => {
  const { title = 'Chat', body = '', room = '', url = '/' } = event.data?.json() ?? {};
  // One notification a room: a later one takes the place of an earlier one, and a repetition is not seen.
  event.waitUntil(worker.registration.showNotification(title, { body, tag: room, renotify: room !== '', icon: '/icon.svg', data: { url } }));
});

worker.addEventListener('notificationclick', (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url ?? '/'));
});

/** An open page goes there; without one, a new one is opened. @param {string} url */
async function open(url) {
  const pages = await worker.clients.matchAll({ type: 'window' });
  const page = pages.find((/** @type {any} */ one) => one.visibilityState === 'visible') ?? pages[0];
  if (!page) return worker.clients.openWindow(url);
  page.postMessage({ open: url });
  // Allowed right behind a click only.
  await page.focus().catch(() => {});
}
