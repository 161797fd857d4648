import { CapnpError } from "../errors.ts";
import { type Compatibility, compareNodes } from "./evolution.ts";
import { expectedType } from "./expected-node.ts";
import type { Node, StructBody } from "./node.ts";
import { visitReferences } from "./references.ts";
import { describeNode, validateNode } from "./validate-node.ts";

/** What is known of an id. */
interface Entry {
  /** What was loaded: the newest version. */
  readonly node?: Node;
  /** What other nodes expect of it, where that is more than what was loaded. */
  readonly expected?: Node;
  /** Of a group: versions before `node`, newest first, one for each size: schemas of the structs around them may be in use. */
  readonly older: readonly Node[];
}

interface StructSize {
  readonly dataWordCount: number;
  readonly pointerCount: number;
}

/** What loading a node did. */
export type LoadOutcome = "added" | "replaced" | "kept";

/** How many older versions of a group are kept: more than anybody uses at a time. */
const maxOlderVersions = 64;

/** How many nodes one may lead to that lists, turned into lists of structs, expect something of. */
const maxExpectationDepth = 64;

/**
 * Nodes by id, each consistent in itself and with the others: what is mentioned as a struct, enum or interface is one; of
 * two versions of a node, which have to be compatible, the newer one is kept; a struct is at least as large as its groups.
 * Nodes may be missing, and nodes may arrive in any order.
 */
export class NodeTable {
  readonly #entries = new Map<bigint, Entry>();
  /** What a struct's groups need, whether or not the struct is loaded. */
  readonly #sizes = new Map<bigint, StructSize>();

  get(id: bigint): Node | undefined {
    return this.#entries.get(id)?.node;
  }

  /** The version of a node that is loaded, then older ones, as long as structs may need them. */
  versions(id: bigint): readonly Node[] {
    const entry = this.#entries.get(id);
    return entry?.node === undefined ? [] : [entry.node, ...entry.older];
  }

  /** All nodes, in the order in which they were first mentioned. */
  *nodes(): Generator<Node, void, undefined> {
    for (const { node } of this.#entries.values()) if (node !== undefined) yield node;
  }

  /**
   * Adds nodes that are known to be consistent, in themselves and with each other, because the compiler made them together:
   * those of which nothing is known yet are taken as they are. The others are loaded like any node; see `load`.
   */
  loadConsistent(nodes: Iterable<Node>): LoadOutcome {
    let outcome: LoadOutcome = "kept";
    for (const node of nodes) {
      if (this.#entries.has(node.id) || this.#sizes.has(node.id)) {
        const own = this.load(node);
        if (own === "replaced" || outcome === "kept") outcome = own;
      } else {
        this.#entries.set(node.id, { node, older: [] });
        if (outcome === "kept") outcome = "added";
      }
    }
    return outcome;
  }

  /**
   * Adds a node, or another version of one. CAPNP_SCHEMA where it is inconsistent, or incompatible with what is there;
   * then nothing has changed.
   */
  load(node: Node): LoadOutcome {
    const changes = new Changes(this.#entries, this.#sizes);
    changes.load(node);
    return changes.commit();
  }
}

const loaded = "the one that is loaded";
const needOf = (expected: Node): string => `what is expected of it ${expected.displayName}`;

/** What loading one node changes in a table: all of it, or nothing where it is refused. */
class Changes {
  readonly #table: Map<bigint, Entry>;
  readonly #tableSizes: Map<bigint, StructSize>;
  readonly #entries = new Map<bigint, Entry>();
  readonly #sizes = new Map<bigint, StructSize>();
  #replaced = false;
  #added = false;

  constructor(entries: Map<bigint, Entry>, sizes: Map<bigint, StructSize>) {
    this.#table = entries;
    this.#tableSizes = sizes;
  }

  commit(): LoadOutcome {
    for (const [id, entry] of this.#entries) this.#table.set(id, entry);
    for (const [id, size] of this.#sizes) this.#tableSizes.set(id, size);
    return this.#replaced ? "replaced" : this.#added ? "added" : "kept";
  }

  load(incoming: Node): void {
    const node = this.#enlarged(incoming);
    validateNode(node);
    this.#checkReferences(node);
    const { node: existing } = this.#entry(node.id);
    const isNewer = existing === undefined || this.#compare(existing, node, node, loaded, 0) === "newer";
    const { expected, older } = this.#entry(node.id);
    const isFulfilled = expected === undefined || this.#compare(expected, node, node, needOf(expected), 0) !== "older";
    if (!isNewer) return;
    const rest = isFulfilled ? {} : { expected };
    if (existing !== undefined) this.#replace(existing, node, rest, older);
    else {
      this.#added = true;
      this.#put(node.id, { node, ...rest, older });
    }
  }

  /** Keeps what a comparison takes for granted of another node, where that is more than what is known of it. */
  #expect(node: Node, depth: number): void {
    if (depth >= maxExpectationDepth) {
      throw new CapnpError(
        "CAPNP_SCHEMA",
        `The schema of ${describeNode(node)} cannot be compared with another version: its lists or groups lead on to more than ${maxExpectationDepth} others.`,
      );
    }
    const wanted = this.#enlarged(node);
    this.#checkReferences(wanted);
    const { node: existing, expected, older } = this.#entry(node.id);
    const need = needOf(node);
    if (existing !== undefined && this.#compare(existing, wanted, existing, need, depth) !== "newer") return;
    if (expected !== undefined && this.#compare(expected, wanted, wanted, needOf(expected), depth) === "older") return;
    this.#put(node.id, { ...(existing === undefined ? {} : { node: existing }), expected: wanted, older });
  }

  #compare(existing: Node, replacement: Node, subject: Node, against: string, depth: number): Compatibility {
    const words = { nameOf: (id: bigint) => this.#nameOf(id), subject, against };
    const { compatibility, expectations } = compareNodes(existing, replacement, words);
    for (const expectation of expectations) this.#expect(expectation, depth + 1);
    return compatibility;
  }

  #entry(id: bigint): Entry {
    return this.#entries.get(id) ?? this.#table.get(id) ?? { older: [] };
  }

  #put(id: bigint, entry: Entry): void {
    this.#entries.set(id, entry);
  }

  #replace(existing: Node, node: Node, rest: { readonly expected?: Node }, older: readonly Node[]): void {
    this.#replaced = true;
    const others = older.filter((one) => !haveEqualSizes(one, existing)).slice(0, maxOlderVersions - 1);
    this.#put(node.id, { node, ...rest, older: isGroup(existing) ? [existing, ...others] : older });
  }

  #nameOf(id: bigint): string {
    const { node } = this.#entry(id);
    return node === undefined ? `0x${id.toString(16)}` : node.displayName.slice(node.displayName.lastIndexOf(":") + 1);
  }

  #checkReferences(user: Node): void {
    visitReferences(user, (id, kind, what) => {
      const { node, expected } = this.#entry(id);
      const known = node ?? expected;
      if (known === undefined) this.#put(id, { expected: this.#enlarged(expectedType(id, user, kind)), older: [] });
      else if (known.body.which !== kind) {
        throw new CapnpError(
          "CAPNP_SCHEMA",
          `The schema of ${describeNode(user)} is invalid: ${what} is not a ${kind}, but ${describeNode(known)} is a ${known.body.which}.`,
        );
      }
    });
    if (user.body.which === "struct" && user.body.isGroup) this.#requireSize(user.scopeId, user.body);
  }

  /** Makes a struct, loaded or yet to be loaded, as large as its group: the group lies within it. */
  #requireSize(id: bigint, { dataWordCount, pointerCount }: StructSize): void {
    const known = this.#sizes.get(id) ?? this.#tableSizes.get(id);
    if (known !== undefined && known.dataWordCount >= dataWordCount && known.pointerCount >= pointerCount) return;
    this.#sizes.set(id, {
      dataWordCount: Math.max(dataWordCount, known?.dataWordCount ?? 0),
      pointerCount: Math.max(pointerCount, known?.pointerCount ?? 0),
    });
    const { node, expected, older } = this.#entry(id);
    const rest = expected === undefined ? {} : { expected: this.#enlarged(expected) };
    if (node === undefined) {
      this.#put(id, { ...rest, older });
      return;
    }
    const enlarged = this.#enlarged(node);
    if (enlarged === node) this.#put(id, { node, ...rest, older });
    else this.#replace(node, enlarged, rest, older);
  }

  /** A struct's node, at least as large as its groups need it. */
  #enlarged(node: Node): Node {
    const size = this.#sizes.get(node.id) ?? this.#tableSizes.get(node.id);
    const { body } = node;
    if (size === undefined || body.which !== "struct") return node;
    const dataWordCount = Math.max(size.dataWordCount, body.dataWordCount);
    const pointerCount = Math.max(size.pointerCount, body.pointerCount);
    if (dataWordCount === body.dataWordCount && pointerCount === body.pointerCount) return node;
    return { ...node, body: { ...body, dataWordCount, pointerCount, preferredListEncoding: "inlineComposite" } };
  }
}

const isGroup = ({ body }: Node): boolean => body.which === "struct" && body.isGroup;

const haveEqualSizes = (a: Node, b: Node): boolean => {
  const [one, other] = [a.body as StructBody, b.body as StructBody];
  return one.dataWordCount === other.dataWordCount && one.pointerCount === other.pointerCount;
};
