import { CapnpError } from "../errors.ts";
import { expectedGroup, expectedStruct } from "./expected-node.ts";
import type { EnumBody, Field, InterfaceBody, Method, Node, SlotBody, StructBody, Type, Value } from "./node.ts";
import { noDiscriminant } from "./node.ts";
import { describeNode } from "./validate-node.ts";

/** What another version of a node is to the one that is there. */
export type Compatibility = "equivalent" | "newer" | "older";

export interface NodeComparison {
  /** What the second node is to the first. */
  readonly compatibility: Compatibility;
  /**
   * What the comparison takes for granted of other nodes, where a value became a struct or a group: nodes that the ones
   * with these ids have to be compatible with.
   */
  readonly expectations: readonly Node[];
}

export interface ComparisonWords {
  readonly nameOf: (id: bigint) => string;
  /** The node that is said to be incompatible. */
  readonly subject: Node;
  readonly against: string;
}

/**
 * Compares two versions of one node by the rules of schema evolution: a newer version may add fields, enumerants, methods,
 * superclasses and type parameters at the end, make a field the first member of a new union or group, a list of values a
 * list of structs whose first field is that value, and a pointer an AnyPointer or Data. Names, annotations and the order in
 * the source may change, as may default values of pointers. All changes must go in one direction.
 *
 * The verdict is that of C++'s `SchemaLoader`.
 *
 * @param words For error texts: what the type with an id is called, and what is incompatible with what.
 * @throws CAPNP_SCHEMA for versions that cannot read each other's messages; it names the member and what became of it.
 */
export const compareNodes = (existing: Node, replacement: Node, words: ComparisonWords): NodeComparison => {
  const comparison = new Comparison(existing, replacement, words);
  comparison.run();
  return comparison;
};

class Comparison implements NodeComparison {
  compatibility: Compatibility = "equivalent";
  readonly expectations: Node[] = [];
  readonly #existing: Node;
  readonly #replacement: Node;
  readonly #words: ComparisonWords;
  readonly #nameOf: (id: bigint) => string;
  /** The first change in the direction that the comparison has taken. */
  #because = "";

  constructor(existing: Node, replacement: Node, words: ComparisonWords) {
    this.#existing = existing;
    this.#replacement = replacement;
    this.#words = words;
    this.#nameOf = words.nameOf;
  }

  run(): void {
    const { body, parameters } = this.#existing;
    const { body: other, parameters: otherParameters } = this.#replacement;
    if (body.which !== other.which) throw this.#incompatible(`it was a ${body.which} and became a ${other.which}`);
    this.#count("type parameters", parameters.length, otherParameters.length);
    if (body.which === "struct") this.#structs(body, other as StructBody);
    else if (body.which === "enum") {
      this.#count("enumerants", body.enumerants.length, (other as EnumBody).enumerants.length);
    } else if (body.which === "interface") this.#interfaces(body, other as InterfaceBody);
  }

  #incompatible(why: string): CapnpError {
    const { subject, against } = this.#words;
    const text = `The schema of ${describeNode(subject)} is incompatible with ${against}: ${why}.`;
    return new CapnpError("CAPNP_SCHEMA", text);
  }

  #changed(direction: "newer" | "older", why: string): void {
    if (this.compatibility === "equivalent") {
      this.compatibility = direction;
      this.#because = why;
    } else if (this.compatibility !== direction) {
      throw this.#incompatible(
        `some of its changes are of a newer version and some of an older one: ${this.#because}, but ${why}`,
      );
    }
  }

  #count(what: string, before: number, after: number): void {
    if (before !== after) {
      this.#changed(after > before ? "newer" : "older", `the number of its ${what} changed from ${before} to ${after}`);
    }
  }

  #structs(body: StructBody, other: StructBody): void {
    // Fields are in order of their ordinals, so that those which both have are at the same index. They come first, since
    // what became of one says more than the struct's size.
    const shared = Math.min(body.fields.length, other.fields.length);
    for (let i = 0; i < shared; i++) this.#fields(body.fields[i] as Field, other.fields[i] as Field);
    this.#count("data words", body.dataWordCount, other.dataWordCount);
    this.#count("pointers", body.pointerCount, other.pointerCount);
    this.#count("union members", body.discriminantCount, other.discriminantCount);
    if (
      body.discriminantCount > 0 &&
      other.discriminantCount > 0 &&
      body.discriminantOffset !== other.discriminantOffset
    ) {
      throw this.#incompatible(
        `the tag of its union moved from offset ${body.discriminantOffset} to ${other.discriminantOffset}`,
      );
    }
    this.#count("fields", body.fields.length, other.fields.length);
    if (body.isGroup && other.isGroup) {
      const [from, to] = [this.#existing.scopeId, this.#replacement.scopeId];
      if (from !== to)
        throw this.#incompatible(`it was a group of ${this.#nameOf(from)} and became one of ${this.#nameOf(to)}`);
    } else if (body.isGroup !== other.isGroup) {
      const why = other.isGroup ? "it was a struct and became a group" : "it was a group and became a struct";
      this.#changed(other.isGroup ? "newer" : "older", why);
    }
  }

  #fields(field: Field, other: Field): void {
    const name = field.name === other.name ? `"${field.name}"` : `"${field.name}" (now "${other.name}")`;
    // A field outside of the union may become its first member.
    const [from, to] = [field, other].map((one) =>
      one.discriminantValue === noDiscriminant ? 0 : one.discriminantValue,
    );
    if (from !== to) throw this.#incompatible(`its field ${name} changed its discriminant from ${from} to ${to}`);
    if (field.body.which === "slot" && other.body.which === "slot") this.#slots(name, field.body, other.body);
    else if (field.body.which === "slot" && other.body.which === "group") {
      this.expectations.push(expectedGroup(other.body.typeId, this.#existing, field, field.body));
    } else if (field.body.which === "group" && other.body.which === "slot") {
      this.expectations.push(expectedGroup(field.body.typeId, this.#replacement, other, other.body));
    } else if (
      field.body.which === "group" &&
      other.body.which === "group" &&
      field.body.typeId !== other.body.typeId
    ) {
      const ids = [field.body.typeId, other.body.typeId].map((id) => `0x${id.toString(16)}`);
      throw this.#incompatible(`its group ${name} changed its id from ${ids[0]} to ${ids[1]}`);
    }
  }

  #slots(name: string, slot: SlotBody, other: SlotBody): void {
    this.#types(name, slot.type, other.type, slot.type, other.type, false);
    if (!haveEqualScalars(slot.defaultValue, other.defaultValue)) {
      const values = [slot.defaultValue, other.defaultValue].map((one) =>
        "value" in one ? String(one.value) : one.which,
      );
      throw this.#incompatible(`its field ${name} changed its default value from ${values[0]} to ${values[1]}`);
    }
    if (slot.offset !== other.offset) {
      throw this.#incompatible(`its field ${name} moved from offset ${slot.offset} to ${other.offset}`);
    }
  }

  /** Compares a part of the types of a field; `whole` and `otherWhole` are for error texts. */
  #types(name: string, type: Type, other: Type, whole: Type, otherWhole: Type, isElement: boolean): void {
    const change = (): string =>
      `its field ${name} changed its type from ${this.#text(whole)} to ${this.#text(otherWhole)}`;
    if (type.which !== other.which) {
      if (other.which === "data" && canBecomeData(type)) this.#changed("newer", change());
      else if (type.which === "data" && canBecomeData(other)) this.#changed("older", change());
      else if (other.which === "anyPointer" && isPointer(type)) this.#changed("newer", change());
      else if (type.which === "anyPointer" && isPointer(other)) this.#changed("older", change());
      // Values in a list may become structs, and what the struct is has to fit.
      else if (isElement && type.which === "struct") this.#expectElement(type.typeId, other);
      else if (isElement && other.which === "struct") this.#expectElement(other.typeId, type);
      else throw this.#incompatible(change());
      return;
    }
    if (type.which === "list" && other.which === "list") {
      this.#types(name, type.elementType, other.elementType, whole, otherWhole, true);
    } else if ("typeId" in type && "typeId" in other && type.typeId !== other.typeId)
      throw this.#incompatible(change());
  }

  #expectElement(structId: bigint, type: Type): void {
    this.expectations.push(expectedStruct(structId, this.#existing, type));
  }

  #interfaces(body: InterfaceBody, other: InterfaceBody): void {
    const before = sortedIds(body);
    const after = sortedIds(other);
    for (let i = 0, j = 0; i < before.length || j < after.length; ) {
      const [from, to] = [before[i], after[j]];
      if (from !== undefined && (to === undefined || from < to)) {
        this.#changed("older", `it no longer extends ${this.#nameOf(from)}`);
        i++;
      } else if (to !== undefined && (from === undefined || from > to)) {
        this.#changed("newer", `it extends ${this.#nameOf(to)}, too`);
        j++;
      } else {
        i++;
        j++;
      }
    }
    this.#count("methods", body.methods.length, other.methods.length);
    const shared = Math.min(body.methods.length, other.methods.length);
    for (let i = 0; i < shared; i++) this.#methods(body.methods[i] as Method, other.methods[i] as Method);
  }

  #methods(method: Method, other: Method): void {
    const name = method.name === other.name ? `"${method.name}"` : `"${method.name}" (now "${other.name}")`;
    if (method.paramStructType !== other.paramStructType) {
      const [from, to] = [method.paramStructType, other.paramStructType].map(this.#nameOf);
      throw this.#incompatible(`its method ${name} changed its parameters from ${from} to ${to}`);
    }
    if (method.resultStructType !== other.resultStructType) {
      const [from, to] = [method.resultStructType, other.resultStructType].map(this.#nameOf);
      throw this.#incompatible(`its method ${name} changed its results from ${from} to ${to}`);
    }
  }

  #text(type: Type): string {
    if (type.which === "list") return `List(${this.#text(type.elementType)})`;
    if ("typeId" in type) return this.#nameOf(type.typeId);
    return type.which.replace(/^u?./, (start) => start.toUpperCase());
  }
}

const sortedIds = ({ superclasses }: InterfaceBody): bigint[] =>
  superclasses.map(({ id }) => id).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

const isPointer = ({ which }: Type): boolean =>
  which === "text" ||
  which === "data" ||
  which === "list" ||
  which === "struct" ||
  which === "interface" ||
  which === "anyPointer";

const canBecomeData = (type: Type): boolean =>
  type.which === "text" ||
  (type.which === "list" && (type.elementType.which === "int8" || type.elementType.which === "uint8"));

/**
 * Whether two values of one type are equal, as C++ compares them: NaN is not equal to itself. Values of pointer types are
 * not compared: nothing on the wire depends on them.
 */
const haveEqualScalars = (value: Value, other: Value): boolean => {
  switch (value.which) {
    case "void":
    case "interface":
    case "text":
    case "data":
    case "list":
    case "struct":
    case "anyPointer":
      return true;
    default:
      return "value" in other && value.value === other.value;
  }
};
