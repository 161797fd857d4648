// How contenders are measured against each other: in one process, in turns, so that a busy machine is busy for all of them.
import { performance } from "node:perf_hooks";

/**
 * One way to do the work: a function that does it once, or, for what runs outside of this process, one that does it so
 * many times and answers how many milliseconds that took.
 * @typedef {{ run?: () => unknown, batch?: (times: number) => Promise<number>, ms?: number }} Contender
 */

const batchMs = 10;
const rounds = 41;
const warmUpMs = 400;

export const median = (figures) => figures.toSorted((a, b) => a - b)[figures.length >> 1];

/** The figure that a quarter of them are below: as steady as a median, and true for as long as other processes leave us a quarter. */
const lowerQuartile = (figures) => figures.toSorted((a, b) => a - b)[figures.length >> 2];

const timed = async ({ run, batch }, times) => {
  if (batch !== undefined) return batch(times);
  const begin = performance.now();
  for (let i = 0; i < times; i++) run();
  return performance.now() - begin;
};

/** How many times fit into a batch. Measuring it is the warm-up. */
const timesOf = async (contender) => {
  const begin = performance.now();
  let times = 1;
  for (;;) {
    const ms = await timed(contender, times);
    if (performance.now() - begin >= warmUpMs) return Math.max(1, Math.round((times * batchMs) / ms));
    if (ms < batchMs) times *= 2;
  }
};

/**
 * Milliseconds that each contender needs for doing the work once: the lower quartile of interleaved rounds, of which each begins
 * with another contender. Collecting all garbage before each batch was tried: V8 then throws away the code of whoever
 * waits for its turn, and what is measured is compiling it again.
 *
 * @param {Record<string, Contender>} contenders
 * @returns {Promise<Record<string, number>>}
 */
export const compare = async (contenders) => {
  const entries = [];
  for (const [name, contender] of Object.entries(contenders)) {
    entries.push({ name, contender, times: await timesOf(contender), figures: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const { contender, times, figures } = entries[(round + turn) % entries.length];
      figures.push((await timed(contender, times)) / times);
    }
  }
  return Object.fromEntries(entries.map(({ name, figures }) => [name, lowerQuartile(figures)]));
};

/** A result from the figures of `compare`, each turned into the unit by `convert`. */
export const resultOf = (work, unit, figures, convert, target) => {
  const { capstan, ...peers } = Object.fromEntries(
    Object.entries(figures).map(([name, figure]) => [name, convert(figure)]),
  );
  return { work, unit, capstan, peers, ...(target === undefined ? {} : { target }) };
};

/** Every contender has to come to the same result, or the figures would compare different works. */
export const verifySame = (work, results) => {
  const [[first, expected], ...others] = Object.entries(results);
  for (const [name, result] of others) {
    if (JSON.stringify(result) === JSON.stringify(expected)) continue;
    throw new Error(
      `${work}: ${name} came to ${JSON.stringify(result)?.slice(0, 200)}, ${first} to ${JSON.stringify(expected)?.slice(0, 200)}`,
    );
  }
};
