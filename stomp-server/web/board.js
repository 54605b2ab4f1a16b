/** Numbers of this moment, plots over time and lists, one below the other. */
import { element } from './view.js';

/** @typedef {[name: string, value: (now: any) => string, more?: (now: any) => string, alarm?: (now: any) => boolean]} Figure */

export class Board {
  /** @param {Figure[]} numbers @param {{plot: import('./plot.js').Plot, lines: (samples: any[]) => number[][]}[]} plots
   *  @param {import('./view.js').Listing[]} lists */
  constructor(numbers, plots, lists) {
    this.figures = numbers.map((figure) => new Box(figure));
    this.plots = plots;
    this.lists = lists;
    this.isDrawn = false;
    this.element = element(
      'div',
      {},
      element('dl', { className: 'numbers' }, ...this.figures.map(({ box }) => box)),
      element('div', { className: 'plots' }, ...plots.map(({ plot }) => plot.figure)),
      ...lists.map((listing) => listing.section),
    );
  }

  /** @param {any} now @param {{samples: any[], every_seconds: number}} history */
  draw(now, history) {
    this.isDrawn = true;
    for (const figure of this.figures) figure.show(now);
    const seconds = Math.max(0, history.samples.length - 1) * history.every_seconds;
    for (const { plot, lines } of this.plots) plot.draw(lines(history.samples), seconds);
  }

  /** @param {string} now by the server's clock */
  async refresh(now) {
    await Promise.all(this.lists.map((listing) => listing.refresh(now)));
  }
}

/** One number with its name. */
class Box {
  /** @param {Figure} figure */
  constructor([name, value, more, alarm]) {
    Object.assign(this, { value, more, alarm });
    [this.text, this.small] = [document.createTextNode(''), element('small')];
    this.box = element('div', {}, element('dt', {}, name), element('dd', {}, this.text, ' ', this.small));
  }

  show(now) {
    this.text.textContent = this.value(now);
    this.small.textContent = this.more?.(now) ?? '';
    this.box.classList.toggle('alarm', Boolean(this.alarm?.(now)));
  }
}
