import { Offline, Problem } from '../chat-client.js';
import { spoken, t } from '../strings.js';
import { fill, h, icon } from './dom.js';

/**
 * The first view: sign in, or make an account.
 *
 * @param {import('../app.js').App} app
 * @param {string} [notice] why one is here again
 */
export function signInView(app, notice) {
  let creating = false;
  const element = h('main', { class: 'sign-in' });

  /** @param {string} [message] */
  function draw(message) {
    const name = h('input', {
      id: 'name', name: 'username', autocomplete: 'username', required: true, maxlength: 64,
      pattern: '[A-Za-z0-9_\\-]{1,64}', title: t('nameHint'), autocapitalize: 'none', spellcheck: 'false',
    });
    const password = h('input', {
      id: 'password', name: 'password', type: 'password', required: true, minlength: creating ? 8 : undefined,
      autocomplete: creating ? 'new-password' : 'current-password',
    });
    const stay = h('input', { id: 'stay', type: 'checkbox' });
    const submit = h('button', { class: 'primary', type: 'submit' }, creating ? t('signUp') : t('signIn'));
    const problem = h('p', { class: 'problem', role: 'alert' }, message);

    /** @param {SubmitEvent} event */
    async function onsubmit(event) {
      event.preventDefault();
      submit.disabled = true;
      fill(problem);
      try {
        await app.signIn(name.value, password.value, { create: creating, stay: stay.checked });
      } catch (error) {
        fill(problem, explain(error, creating));
        submit.disabled = false;
        password.focus();
      }
    }

    fill(
      element,
      h('form', { class: 'card', onsubmit },
        h('div', { class: 'logo' }, icon('chat')),
        h('h1', {}, t('app')),
        h('p', { class: 'quiet' }, t('tagline')),
        h('label', { for: 'name' }, t('name')), name,
        creating && h('small', { class: 'quiet' }, t('nameHint')),
        h('label', { for: 'password' }, t('password')), password,
        creating && h('small', { class: 'quiet' }, t('passwordHint')),
        h('label', { class: 'choice' }, stay, t('stay')),
        problem,
        submit,
        h('button', { type: 'button', class: 'link', id: 'switch', onclick: () => ((creating = !creating), draw()) },
          creating ? t('toSignIn') : t('toSignUp')),
        h('button', { type: 'button', class: 'link quiet', onclick: () => (app.setLanguage(spoken() === 'ko' ? 'en' : 'ko'), draw()) },
          t('language')),
      ),
    );
    name.focus();
  }

  draw(notice);
  return { element };
}

/** @param {unknown} error @param {boolean} creating */
function explain(error, creating) {
  if (error instanceof Offline) return t('noAnswer');
  if (error instanceof Problem && error.code === 'conflict' && creating) return t('nameTaken');
  if (error instanceof Problem && error.code === 'unauthorized') return t('wrongLogin');
  return error instanceof Error ? error.message : String(error);
}
