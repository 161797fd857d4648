import { SeededRandom } from "../../support/seeded-random.ts";
import { act } from "./actions.ts";
import { end } from "./ending.ts";
import { ModelFailure, World } from "./world.ts";

export interface RunOptions {
  readonly calm?: boolean;
  readonly malicious?: boolean;
  /** Default: as the seed says, 2 to 4. */
  readonly vats?: number;
  /** Which actions are done, by their number; the others are left out. Default: all of them. */
  readonly only?: ReadonlySet<number>;
  readonly trace?: ((line: string) => void) | undefined;
}

/** How many actions a seed has. */
const actionsOf = (seed: number): number => {
  const random = new SeededRandom(seed);
  return random.oneIn(20) ? 100 + random.below(150) : 20 + random.below(41);
};

/** Plays a seed from the beginning to the end of a world. Throws a ModelFailure. */
export const run = async (seed: number, options: RunOptions = {}): Promise<void> => {
  const random = new SeededRandom(seed ^ 0x5eed);
  const vats = options.vats ?? 2 + random.below(3);
  const world = new World(
    { vats, calm: options.calm ?? false, malicious: options.malicious ?? false, trace: options.trace },
    random,
  );
  const count = actionsOf(seed);
  for (let i = 0; i < count; i++) {
    const action = random.below(2 ** 32);
    if (options.only === undefined || options.only.has(i)) await act(world, action);
  }
  await end(world, random);
};

export const failureOf = async (seed: number, options: RunOptions = {}): Promise<Error | undefined> => {
  try {
    await run(seed, options);
    return undefined;
  } catch (error) {
    return error as Error;
  }
};

const kindOf = (error: Error): string =>
  error instanceof ModelFailure
    ? (error.message.split("\n")[0] as string).replace(/\d+/g, "#").slice(0, 60)
    : error.message;

/** Leaves out actions for as long as the run fails in the same way. */
export const shrink = async (seed: number, options: RunOptions, error: Error): Promise<ReadonlySet<number>> => {
  let only = Array.from({ length: actionsOf(seed) }, (_, i) => i);
  let attempts = 1500;
  for (let size = only.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < only.length && attempts-- > 0; ) {
      const fewer = only.filter((_, i) => i < at || i >= at + size);
      const failure = await failureOf(seed, { ...options, only: new Set(fewer) });
      if (failure !== undefined && kindOf(failure) === kindOf(error)) only = fewer;
      else at += size;
    }
  }
  return new Set(only);
};
