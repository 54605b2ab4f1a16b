/** Runs named checks one after another, prints a line for each and keeps count. */
export class Checks {
  passed = 0;
  failed = 0;

  /** @param {string} name a sentence @param {() => unknown} body @param {number} [limit] ms */
  async check(name, body, limit = 240_000) {
    const begin = Date.now();
    try {
      await within(limit, body());
      this.passed += 1;
      console.log(`ok   ${name} (${Date.now() - begin} ms)`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL ${name} (${Date.now() - begin} ms)\n     ${String(error?.stack ?? error).replaceAll('\n', '\n     ')}`);
    }
  }
}

/** @template T @param {number} limit ms @param {T | Promise<T>} promise @returns {Promise<T>} */
export async function within(limit, promise, what = 'the check') {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${limit} ms`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again until the answer is true. @param {() => unknown} ask @param {string} what @param {number} [limit] ms */
export async function until(ask, what, limit = 60_000) {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await sleep(20);
  }
}
