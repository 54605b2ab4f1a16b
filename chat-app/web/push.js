/** This browser's notifications: asked for on a click, bound to the session, shown by the service worker. */
import { spoken } from './strings.js';

/** Where this browser's device is remembered, to forget it at the server too. */
const DEVICE = 'device';

export class Push {
  #rest;

  /** @param {import('./rest.js').Rest} rest */
  constructor(rest) {
    this.#rest = rest;
  }

  /** @returns {'unsupported' | 'denied' | 'on' | 'off'} */
  get state() {
    if (!('serviceWorker' in navigator) || !('Notification' in globalThis)) return 'unsupported';
    if (Notification.permission === 'denied') return 'denied';
    return Notification.permission === 'granted' && localStorage.getItem(DEVICE) !== null ? 'on' : 'off';
  }

  /** Asks for the permission; to be called on a click, browsers refuse it otherwise. @returns {Promise<boolean>} */
  async turnOn() {
    if ((await Notification.requestPermission()) !== 'granted') return false;
    // Also without a push service the open page can notify.
    localStorage.setItem(DEVICE, '');
    await this.renew();
    return true;
  }

  /** Binds this browser to the present session; nothing, if notifications are off. */
  async renew() {
    if (this.state !== 'on') return;
    const worker = await navigator.serviceWorker.register('/sw.js');
    try {
      const subscription = await subscribed(worker, (await this.#rest.vapidKey()).key);
      const { endpoint, keys } = subscription.toJSON();
      const device = await this.#rest.addDevice({ kind: 'webpush', endpoint, keys, language: spoken() });
      localStorage.setItem(DEVICE, device.id);
    } catch (error) {
      console.warn('no push service: notifications come while the page is open', error);
    }
  }

  async turnOff() {
    const device = localStorage.getItem(DEVICE);
    localStorage.removeItem(DEVICE);
    const worker = await navigator.serviceWorker?.getRegistration();
    const subscription = await worker?.pushManager?.getSubscription();
    await subscription?.unsubscribe();
    if (device) await this.#rest.removeDevice(device).catch(() => {});
  }

  /**
   * Something new elsewhere, told to the open page: shown here where no push service will.
   * @param {import('./types.js').Notice} notice
   */
  async show(notice) {
    if (this.state !== 'on' || localStorage.getItem(DEVICE) !== '') return;
    const worker = await navigator.serviceWorker.ready;
    const options = { body: notice.preview ?? '', tag: notice.room, icon: '/icon.svg', data: { url: `/#/rooms/${notice.room}` } };
    await worker.showNotification(notice.title, options);
  }

  /** A notification was clicked. @param {(url: string) => void} go */
  onOpen(go) {
    navigator.serviceWorker?.addEventListener('message', ({ data }) => data?.open && go(String(data.open)));
  }
}

/** The browser's subscription under this key; one under another key is of another installation. @param {ServiceWorkerRegistration} worker
 *  @param {string} key */
async function subscribed(worker, key) {
  const bytes = Uint8Array.from(atob(key.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  await navigator.serviceWorker.ready;
  const before = await worker.pushManager.getSubscription();
  const same = before && String(new Uint8Array(before.options.applicationServerKey ?? new ArrayBuffer(0))) === String(bytes);
  if (before && !same) await before.unsubscribe();
  return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes });
}
