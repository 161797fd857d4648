import { Compute } from "../../servers/workerpool/workerpool.capnp.ts";

/** How many primes there are below a number. The calls are made together, so that all threads have something to do. */
export const countPrimes = async (compute: Compute.Client, below: number, pieces: number): Promise<number> => {
  const bound = (piece: number): number => Math.floor((below * piece) / pieces);
  const calls = Array.from({ length: pieces }, (_, i) => compute.countPrimes({ from: bound(i), to: bound(i + 1) }));
  const counts = await Promise.all(calls);
  return counts.reduce((sum, { count }) => sum + count, 0);
};

/** Collects rows as they come. */
class RowsImpl extends Compute.Rows.Server {
  readonly rows: number[][] = [];

  override row({ depths }: Compute.Rows.RowParams.Reader) {
    this.rows.push([...depths]);
  }

  override done() {}
}

const maxDepth = 255;
const shades = " .:-=+*#%@";

/** The whole Mandelbrot set as text, of which each thread paints a part. */
export const paint = async (
  compute: Compute.Client,
  { columns, rows, bands }: { readonly columns: number; readonly rows: number; readonly bands: number },
): Promise<string[]> => {
  const whole = { left: -2.2, top: -1.2, stepRight: 3 / columns, stepDown: 2.4 / rows, columns, maxDepth };
  const painted = Array.from({ length: bands }, async (_, band) => {
    const firstRow = Math.floor((rows * band) / bands);
    const lastRow = Math.floor((rows * (band + 1)) / bands);
    const to = new RowsImpl();
    await compute.paint({ view: { ...whole, firstRow, rows: lastRow - firstRow }, to });
    return to.rows;
  });
  return (await Promise.all(painted)).flat().map((row) => row.map(shade).join(""));
};

const shade = (depth: number): string =>
  shades[Math.min(shades.length - 1, Math.floor((Math.log2(depth + 1) / 8) * shades.length))] ?? " ";
