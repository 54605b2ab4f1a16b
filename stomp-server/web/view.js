/** Elements, tables and how numbers are written. Text only ever becomes text. */

/** @param {string} name @param {Record<string, any>} [properties] @param {...(Node | string)} children */
export function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumFractionDigits: 1, notation: 'compact' });

export const count = (value) => (value < 10_000 ? whole.format(value) : short.format(value));
export const rate = (value) => `${value > 0 && value < 10 ? value.toFixed(1) : count(value)}/s`;

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit && value < 100 ? value.toFixed(1) : whole.format(value)} ${units[unit]}`;
}

/** @param {number} seconds */
export function span(seconds) {
  const parts = [[86_400, 'd'], [3_600, 'h'], [60, 'min'], [1, 's']];
  const at = parts.findIndex(([size]) => seconds >= size);
  if (at < 0) return '0 s';
  const [size, name] = parts[at];
  const rest = parts[at + 1] && Math.floor((seconds % size) / parts[at + 1][0]);
  return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${parts[at + 1][1]}` : ''}`;
}

/** How long ago, by the server's clock. */
export const ago = (at, now) => span(Math.max(0, Math.round((Date.parse(now) - Date.parse(at)) / 1000)));

/** A list of the server, a page at a time. */
export class Listing {
  /**
   * @param {string} title
   * @param {{name: string, number?: boolean, show: (row: any, now: string) => string, alarm?: (row: any) => boolean}[]} columns
   * @param {(after?: string) => Promise<{rows: any[], next?: string}>} load
   * @param {string} empty what to say when there is nothing
   */
  constructor(title, columns, load, empty) {
    this.columns = columns;
    this.load = load;
    this.pages = [undefined];
    const id = `list-${title.toLowerCase().replaceAll(' ', '-')}`;
    this.count = element('span', { className: 'quiet grow' });
    this.before = element('button', { type: 'button', onclick: () => this.turn(-1) }, 'Back');
    this.after = element('button', { type: 'button', onclick: () => this.turn(1) }, 'More');
    this.before.setAttribute('aria-label', `${title}: page before`);
    this.after.setAttribute('aria-label', `${title}: next page`);
    this.body = element('tbody');
    this.empty = element('p', { className: 'empty' }, empty);
    const heads = columns.map(({ name, number }) => element('th', { scope: 'col', className: number ? 'number' : '' }, name));
    this.table = element('table', {}, element('thead', {}, element('tr', {}, ...heads)), this.body);
    this.table.setAttribute('aria-labelledby', id);
    const scroll = element('div', { className: 'scroll', tabIndex: 0 }, this.table);
    scroll.setAttribute('role', 'region');
    scroll.setAttribute('aria-labelledby', id);
    this.scroll = scroll;
    this.section = element(
      'section',
      { className: 'panel' },
      element('header', {}, element('h2', { id }, title), this.count, this.before, this.after),
      scroll,
      this.empty,
    );
  }

  async turn(by) {
    if (by > 0 && this.next !== undefined) this.pages.push(this.next);
    if (by < 0 && this.pages.length > 1) this.pages.pop();
    await this.refresh();
  }

  async refresh(now = this.now) {
    this.now = now;
    const { rows, next } = await this.load(this.pages.at(-1));
    this.next = next;
    if (rows.length === 0 && this.pages.length > 1) return this.turn(-1);
    this.body.replaceChildren(...rows.map((row) => this.row(row)));
    this.scroll.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    this.before.hidden = this.pages.length === 1;
    this.after.hidden = next === undefined;
    this.count.textContent = this.pages.length > 1 ? `page ${this.pages.length}` : '';
  }

  row(row) {
    const cells = this.columns.map(({ number, show, alarm }) =>
      element('td', { className: `${number ? 'number' : ''} ${alarm?.(row) ? 'alarm' : ''}`.trim() }, show(row, this.now ?? '')));
    return element('tr', {}, ...cells);
  }
}
