// Shows openapi.json to people. Everything is written as text, never as markup.

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
/** Schemas inside schemas are written out this deep; deeper ones are named. */
const DEPTH = 3;

/** @param {string} tag @param {Record<string, string>} attributes @param {...(Node | string)} children */
function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

async function start() {
  const main = /** @type {HTMLElement} */ (document.querySelector('main'));
  try {
    const answer = await fetch('/api/v1/openapi.json');
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json(), main);
  } catch (error) {
    main.textContent = `The description could not be loaded: ${error}`;
  }
}

/** @param {any} api @param {HTMLElement} main */
function show(api, main) {
  const about = /** @type {HTMLElement} */ (document.querySelector('#about'));
  about.textContent = `${api.info.description} Version ${api.info.version}.`;
  const nav = /** @type {HTMLElement} */ (document.querySelector('nav'));
  for (const tag of api.tags) {
    nav.append(element('a', { href: `#${tag.name}` }, tag.name));
    main.append(element('h2', { id: tag.name }, tag.name));
    main.append(element('p', { class: 'quiet' }, tag.description ?? ''));
    for (const [path, operations] of Object.entries(api.paths)) {
      for (const method of METHODS) {
        const operation = operations[method];
        if (operation?.tags?.includes(tag.name)) main.append(described(api, method, path, operation));
      }
    }
  }
}

/** @param {any} api @param {string} method @param {string} path @param {any} operation */
function described(api, method, path, operation) {
  const body = element('div', {});
  if (operation.description) body.append(element('p', {}, operation.description));
  if (operation.security?.some((/** @type {object} */ one) => Object.keys(one).length === 0)) {
    body.append(element('p', { class: 'quiet' }, 'Needs no token.'));
  }
  if (operation.parameters?.length) body.append(element('h3', {}, 'Parameters'), parameters(operation.parameters));
  const request = operation.requestBody?.content?.['application/json']?.schema;
  if (request) body.append(element('h3', {}, 'Body'), schema(api, request));
  body.append(element('h3', {}, 'Answers'));
  for (const [status, answer] of Object.entries(operation.responses)) {
    body.append(element('p', {}, element('code', {}, status), ` ${answer.description ?? ''}`));
    const json = answer.content?.['application/json']?.schema;
    if (json) body.append(schema(api, json));
  }
  const server = api.servers?.[0]?.url ?? '';
  return element(
    'details',
    { id: operation.operationId },
    element(
      'summary',
      {},
      element('span', { class: 'method' }, method),
      element('code', {}, server + path),
      element('span', { class: 'quiet' }, operation.summary ?? ''),
    ),
    body,
  );
}

/** @param {any[]} list */
function parameters(list) {
  const rows = list.map((one) =>
    element(
      'tr',
      {},
      element('td', {}, element('code', {}, one.name)),
      element('td', { class: 'quiet' }, one.in + (one.required ? ', required' : '')),
      element('td', {}, one.description ?? ''),
    ),
  );
  return element('table', {}, ...rows);
}

/** @param {any} api @param {any} schema */
function schema(api, schema) {
  return element('pre', {}, JSON.stringify(shape(api, schema, 0), null, 2));
}

/** What JSON of this schema looks like. @param {any} api @param {any} schema @param {number} depth @returns {unknown} */
function shape(api, schema, depth) {
  if (!schema || schema === true) return 'anything';
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return depth > DEPTH ? name : shape(api, api.components.schemas[name], depth + 1);
  }
  const either = (schema.oneOf ?? schema.anyOf)?.filter((/** @type {any} */ one) => one.type !== 'null');
  if (either?.length) return shape(api, either[0], depth);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((/** @type {any} */ one) => shape(api, one, depth)));
  if (schema.enum) return schema.enum.join(' | ');
  const type = [schema.type].flat().filter((one) => one && one !== 'null').join(' | ');
  if (type === 'array') return [shape(api, schema.items, depth)];
  if (type === 'object' && schema.properties) {
    const required = new Set(schema.required ?? []);
    const entries = Object.entries(schema.properties).map(([name, value]) => [
      required.has(name) ? name : `${name}?`,
      shape(api, value, depth),
    ]);
    return Object.fromEntries(entries);
  }
  return type || 'anything';
}

start();
