/** Small plots over time: an SVG, drawn anew with each sample, with words for who cannot see it. */
import { element } from './view.js';

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT] = [300, 100];

/** @param {string} name @param {Record<string, string>} attributes */
function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** A round number at or above the largest value, so that the scale does not twitch. */
export function ceiling(largest, binary = false) {
  if (largest <= 1) return 1;
  if (binary) return 2 ** Math.ceil(Math.log2(largest));
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= largest) ?? largest;
}

/** Change per second of totals that only grow. @param {any[]} samples @param {string} field */
export function rates(samples, field) {
  return samples.slice(1).map((sample, n) => {
    const seconds = (Date.parse(sample.at) - Date.parse(samples[n].at)) / 1000;
    return seconds > 0 ? Math.max(0, sample[field] - samples[n][field]) / seconds : 0;
  });
}

/** One plot with up to two lines. */
export class Plot {
  /** @param {string} title @param {{names: string[], show: (value: number) => string, binary?: boolean}} options */
  constructor(title, { names, show, binary }) {
    this.title = title;
    this.binary = binary;
    this.names = names;
    this.show = show;
    this.now = element('span');
    this.svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    this.top = element('span');
    const keys = names.length < 2 ? [] : names.map((name, n) => element('span', { className: n ? 'key second' : 'key' }, name));
    this.figure = element(
      'figure',
      { className: 'plot' },
      element('figcaption', {}, element('b', {}, title), this.now),
      this.svg,
      element('div', { className: 'axis' }, this.top, element('span', {}, ...keys), element('span', {}, 'now')),
    );
  }

  /** @param {number[][]} lines the values of each, oldest first @param {number} seconds from the first value to now */
  draw(lines, seconds) {
    const largest = ceiling(Math.max(0, ...lines.flat()), this.binary);
    const latest = lines.map((values) => values.at(-1) ?? 0);
    this.now.textContent = latest.map(this.show).join(' · ');
    this.top.textContent = `${this.show(largest)} high, ${minutes(seconds)} wide`;
    const told = this.names.map((name, n) => `${name} ${this.show(latest[n])}`).join(', ');
    this.svg.setAttribute('aria-label', `${this.title}, now: ${told}; at most ${this.show(Math.max(0, ...lines.flat()))} in ${minutes(seconds)}`);
    const grid = [0, 0.5, 1].map((part) => shape('line', { class: 'grid', x1: '0', x2: String(WIDTH), y1: String(part * HEIGHT), y2: String(part * HEIGHT) }));
    this.svg.replaceChildren(...grid, ...lines.flatMap((values, n) => curve(values, largest, n ? 'second' : 'first')));
  }
}

function curve(values, largest, name) {
  if (values.length < 2) return [];
  const step = WIDTH / (values.length - 1);
  const points = values.map((value, n) => `${(n * step).toFixed(1)},${(HEIGHT - (value / largest) * HEIGHT).toFixed(1)}`);
  return [
    shape('polygon', { class: `area ${name}`, points: `0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}` }),
    shape('polyline', { class: `line ${name}`, points: points.join(' ') }),
  ];
}

const minutes = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);
