/** What belongs to the account: name, privacy, quiet hours, password, the end of it. */
import { t } from '../strings.js';
import { attempt, confirm, problemLine, show } from './dialog.js';
import { h } from './dom.js';

/** @typedef {import('../app.js').App} App @typedef {import('../types.js').Settings} Settings */

/** @param {App} app */
export async function settingsDialog(app) {
  const problem = problemLine();
  const body = h('div', {});
  show(t('settings'), [body, problem]);
  await attempt(problem, async () => {
    const me = await app.chat.rest.me();
    body.append(
      form(t('displayName'), problem, [field('display-name', t('name'), { value: me.name, maxlength: 64, required: true })], async (data) => {
        const user = await app.chat.rest.changeMe({ name: String(data.get('display-name')).trim() });
        app.renamed(user);
      }),
      preferences(app, me.settings ?? {}, problem),
      passwordForm(app, problem),
      h('div', { class: 'actions' },
        h('button', { type: 'button', class: 'danger', id: 'delete-account', onclick: () =>
          confirm(t('deleteAccountQuestion'), t('deleteAccount'), async () => {
            await app.chat.rest.deleteMe();
            app.signOut();
          }) }, t('deleteAccount'))),
    );
  });
}

/** @param {App} app @param {Settings} now @param {HTMLElement} problem */
function preferences(app, now, problem) {
  const quiet = now.quiet_hours ?? undefined;
  return form(t('notifications'), problem, [
    choice('preview', t('showPreview'), now.preview !== false),
    choice('private', t('privateReceipts'), now.private_receipts === true),
    choice('quiet', t('quietHours'), quiet !== undefined),
    h('div', { class: 'line-form' },
      field('from', t('from'), { type: 'time', value: quiet?.from ?? '22:00' }),
      field('to', t('to'), { type: 'time', value: quiet?.to ?? '07:00' })),
  ], async (data) => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    await app.chat.rest.settings({
      preview: data.has('preview'),
      private_receipts: data.has('private'),
      quiet_hours: data.has('quiet') ? { from: String(data.get('from')), to: String(data.get('to')), zone } : null,
    });
  });
}

/** @param {App} app @param {HTMLElement} problem */
function passwordForm(app, problem) {
  return form(t('changePassword'), problem, [
    field('old', t('oldPassword'), { type: 'password', required: true, autocomplete: 'current-password' }),
    field('new', t('newPassword'), { type: 'password', required: true, minlength: 8, autocomplete: 'new-password' }),
  ], (data) => app.chat.rest.changePassword(String(data.get('old')), String(data.get('new'))));
}

/** A part of the dialog that is saved by itself. @param {string} title @param {HTMLElement} problem @param {Node[]} fields
 *  @param {(data: FormData) => Promise<void>} save */
function form(title, problem, fields, save) {
  const button = h('button', { type: 'submit' }, t('save'));
  const element = h('form', { class: 'settings', onsubmit: async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const done = await attempt(problem, () => save(new FormData(element)));
    button.textContent = done ? t('saved') : t('save');
    if (done) setTimeout(() => (button.textContent = t('save')), 2000);
  } }, h('h3', {}, title), ...fields, h('div', { class: 'actions' }, button));
  return element;
}

/** @param {string} name @param {string} label @param {Record<string, any>} props */
function field(name, label, props) {
  return h('label', { class: 'grow' }, label, h('input', { name, id: `setting-${name}`, ...props }));
}

/** @param {string} name @param {string} label @param {boolean} checked */
function choice(name, label, checked) {
  return h('label', { class: 'choice' }, h('input', { type: 'checkbox', name, id: `setting-${name}`, checked }), label);
}
