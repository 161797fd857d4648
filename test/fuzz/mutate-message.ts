import { CapnpError } from "../../lib/errors.ts";
import { decodeCompiledSchema, encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import type { Random } from "../support/random-schema/random.ts";

/** Changes a CodeGeneratorRequest: what it says or, more often than a compiler would ever, how it is written. */
export function mutateMessage(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  if (random.chance(0.5)) {
    const changed = mutateNodes(bytes, other, random);
    if (changed !== undefined) return random.chance(0.8) ? changed : mutateWords(changed, other, random);
  }
  return mutateWords(bytes, other, random);
}

type Tree = Record<string, unknown>;

/** A request with other contents; undefined where the bytes are none, or cannot say this. */
function mutateNodes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array | undefined {
  try {
    const schema = decodeCompiledSchema(bytes);
    const places: { readonly holder: Tree; readonly key: string }[] = [];
    collect(schema as unknown as Tree, places);
    for (let edits = random.between(1, 4); edits > 0 && places.length > 0; edits--) change(random, places);
    const theirs = random.chance(0.2) ? decodeCompiledSchema(other).nodes : [];
    return encodeCompiledSchema({ ...schema, nodes: random.shuffled([...schema.nodes, ...theirs]) });
  } catch (error) {
    // The change made it something that no message can hold.
    if (error instanceof CapnpError || error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function collect(tree: Tree, places: { holder: Tree; key: string }[]): void {
  for (const [key, value] of Object.entries(tree)) {
    places.push({ holder: tree, key });
    if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) collect(value as Tree, places);
  }
}

function change(random: Random, places: readonly { readonly holder: Tree; readonly key: string }[]): void {
  const { holder, key } = random.pick(places);
  const value = holder[key];
  const like = random.pick(places.filter((place) => place.key === key && typeof place.holder[key] === typeof value));
  if (random.chance(0.4)) {
    holder[key] = like.holder[like.key];
  } else if (typeof value === "number") {
    holder[key] = random.pick([0, 1, 2, 7, 255, 65534, 65535, value + 1, Math.max(0, value - 1), value * 2]);
  } else if (typeof value === "bigint") {
    holder[key] = random.pick([0n, 1n, value ^ 1n, 0xffffffffffffffffn]);
  } else if (typeof value === "boolean") {
    holder[key] = !value;
  } else if (typeof value === "string" && key !== "which") {
    holder[key] = random.pick(["", "__proto__", "constructor", "then", "\u2028*/`", "x".repeat(1000), "toString"]);
  } else if (value instanceof Uint8Array && value.length >= 8) {
    holder[key] = mutateWords(value, value, random, 0);
  } else if (Array.isArray(value) && value.length > 0) {
    const i = random.below(value.length);
    const copies = random.pick([0, 0, 2, 2, 40]);
    value.splice(i, 1, ...Array.from({ length: copies }, () => value[i]));
  }
}

const words = [
  0n,
  1n,
  0xffffffffffffffffn,
  0x0000000100000000n,
  0x00010001fffffffcn,
  0xfffffff700000001n,
  0x7fffffff00000001n,
];

/** Changes words and the pointers in them; the first `header` bytes are the segment table. */
function mutateWords(bytes: Uint8Array, other: Uint8Array, random: Random, header = 8): Uint8Array {
  let result = bytes.slice();
  for (let edits = random.between(1, 6); edits > 0; edits--) {
    const count = Math.floor((result.length - header) / 8);
    if (count < 1) return result;
    const view = new DataView(result.buffer, result.byteOffset, result.byteLength);
    const at = header + 8 * random.below(count);
    const from = header + 8 * random.below(count);
    switch (random.below(9)) {
      case 0:
        result[at + random.below(8)]! ^= 1 << random.below(8);
        break;
      case 1:
        view.setBigUint64(at, random.pick(words), true);
        break;
      case 2:
        view.setBigUint64(at, view.getBigUint64(from, true), true);
        break;
      case 3:
        // points a little elsewhere
        view.setInt32(at, view.getInt32(at, true) + 4 * (random.below(9) - 4), true);
        break;
      case 4:
        view.setUint16(at + 2 * random.below(4), random.pick([0, 1, 2, 6, 7, 255, 256, 65535]), true);
        break;
      case 5:
        view.setUint32(at + 4, random.pick([0, 1, 8, 0xffffffff, view.getUint32(at + 4, true) * 2]), true);
        break;
      case 6:
        result = result.slice(0, random.chance(0.8) ? at : at + random.below(8));
        break;
      case 7: {
        const piece = other.subarray(from % (other.length + 1)).subarray(0, 8 * random.between(1, 8));
        result.set(piece.subarray(0, result.length - at), at);
        break;
      }
      default:
        if (header > 0)
          view.setUint32(4 * random.below(2), random.pick([0, 1, 2, 3, 0xffff, 0xffffffff, count, count - 1]), true);
    }
  }
  return result;
}
