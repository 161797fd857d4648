import { CapnpError } from "../errors.ts";
import { readerArena } from "../serialization/arena.ts";
import { pointerSize } from "../serialization/total-size.ts";
import {
  type Annotation,
  type Brand,
  type EnumBody,
  type Field,
  type InterfaceBody,
  maxValueNesting,
  type Node,
  noDiscriminant,
  type SlotBody,
  type StructBody,
  type Type,
  type Value,
} from "./node.ts";

/** Bits in the data section for each type that lies there; pointers are missing. */
const dataBits: Readonly<Record<string, number>> = {
  void: 0,
  bool: 1,
  int8: 8,
  int16: 16,
  int32: 32,
  int64: 64,
  uint8: 8,
  uint16: 16,
  uint32: 32,
  uint64: 64,
  float32: 32,
  float64: 64,
  enum: 16,
};

/**
 * How many words beyond their own size the values of one node may make a reader visit: elements of no size, which take no
 * room in a message but time to read.
 */
const maxVoidElements = 65_536;

/**
 * Checks that a node is consistent in itself, so that no accessor made from it reads or writes outside of its struct, and
 * no value in it leads out of its bytes or keeps a reader busy. Throws CAPNP_SCHEMA otherwise, with the member and the
 * numbers. Takes time in proportion to the node's size. What it says about other nodes is `NodeTable`'s to check.
 */
export const validateNode = (node: Node): void => new Validation(node).run();

/** A node's name and id, for error texts. What a hostile node calls itself may be long. */
export const describeNode = ({ displayName, id }: Node): string => {
  const name = displayName.length <= 200 ? displayName : `${displayName.slice(0, 200)}...`;
  return `${name} (0x${id.toString(16)})`;
};

/** Whether a number is a whole one from 0 to below the limit. 53 bits hold every product of two that are. */
const inRange = (value: number, limit: number): boolean => Number.isInteger(value) && value >= 0 && value < limit;

interface Member {
  readonly name: string;
  readonly codeOrder: number;
  readonly annotations: readonly Annotation[];
}

class Validation {
  readonly #node: Node;
  #voidElementsLeft = maxVoidElements;

  constructor(node: Node) {
    this.#node = node;
  }

  run(): void {
    const { body, parameters, isGeneric, annotations } = this.#node;
    if (parameters.length > 0 && !isGeneric) {
      throw this.#invalid(`it has ${parameters.length} type parameters and says that it is not generic`);
    }
    this.#annotations("it", annotations);
    switch (body.which) {
      case "struct":
        this.#struct(body);
        break;
      case "enum":
        this.#enum(body);
        break;
      case "interface":
        this.#interface(body);
        break;
      case "const":
        this.#type("its type", body.type);
        this.#typedValue("its value", body.type, body.value);
        break;
      case "annotation":
        this.#type("its type", body.type);
        break;
      default:
    }
  }

  #invalid(why: string, cause?: unknown): CapnpError {
    const text = `The schema of ${describeNode(this.#node)} is invalid: ${why}.`;
    return new CapnpError("CAPNP_SCHEMA", text, { cause });
  }

  /** Members' names become properties: each once, and none that could hide this library's own. Their places in the code are a permutation. */
  #members(what: string, members: readonly Member[]): void {
    const names = new Set<string>();
    const places = new Set<number>();
    for (const { name, codeOrder, annotations } of members) {
      if (name === "") throw this.#invalid(`one of its ${what}s has no name`);
      const quoted = JSON.stringify(name);
      // `__proto__` is defined as any other property, and `_x`, which C++ takes for a param.
      if (name.startsWith("$")) {
        throw this.#invalid(`the name ${quoted} begins with a character that the language does not allow`);
      }
      if (names.has(name)) throw this.#invalid(`two of its ${what}s have the name ${quoted}`);
      names.add(name);
      if (!inRange(codeOrder, members.length) || places.has(codeOrder)) {
        throw this.#invalid(
          `the code order ${codeOrder} of its ${what} ${quoted} is not one of its own below ${members.length}`,
        );
      }
      places.add(codeOrder);
      this.#annotations(`its ${what} ${quoted}`, annotations);
    }
  }

  #enum({ enumerants }: EnumBody): void {
    if (enumerants.length > 0x10000) throw this.#invalid(`it has ${enumerants.length} enumerants, 65536 at most`);
    this.#members("enumerant", enumerants);
  }

  #interface({ methods, superclasses }: InterfaceBody): void {
    if (methods.length > 0x10000) throw this.#invalid(`it has ${methods.length} methods, 65536 at most`);
    for (const { brand } of superclasses) this.#brand("a superclass", brand);
    this.#members("method", methods);
    for (const { name, paramBrand, resultBrand } of methods) {
      this.#brand(`the parameters of its method ${JSON.stringify(name)}`, paramBrand);
      this.#brand(`the results of its method ${JSON.stringify(name)}`, resultBrand);
    }
  }

  #struct(body: StructBody): void {
    const { dataWordCount, pointerCount, fields, isGroup } = body;
    if (!inRange(dataWordCount, 0x10000) || !inRange(pointerCount, 0x10000)) {
      throw this.#invalid(`its size of ${dataWordCount} data words and ${pointerCount} pointers is impossible`);
    }
    this.#members("field", fields);
    this.#ordinals(fields);
    this.#union(body);
    const groups = new Set<bigint>();
    for (const field of fields) {
      if (field.body.which === "slot") {
        this.#slot(body, field, field.body);
        continue;
      }
      // A group that is there twice, at many levels, would be an object without end for whoever walks over it.
      const { typeId } = field.body;
      if (groups.has(typeId) || typeId === this.#node.id) {
        throw this.#invalid(`its field ${JSON.stringify(field.name)} is a group (0x${typeId.toString(16)}) used twice`);
      }
      groups.add(typeId);
    }
    if (isGroup && this.#node.scopeId === 0n) throw this.#invalid("it is a group of no struct");
  }

  #ordinals(fields: readonly Field[]): void {
    let next = 0;
    for (const { name, ordinal } of fields) {
      if (ordinal === undefined) continue;
      if (!inRange(ordinal, 0x10000) || ordinal < next) {
        throw this.#invalid(
          `the ordinal @${ordinal} of its field ${JSON.stringify(name)} is not above those before it`,
        );
      }
      next = ordinal + 1;
    }
  }

  #union({ fields, discriminantCount, discriminantOffset, dataWordCount }: StructBody): void {
    const members = fields.filter((field) => field.discriminantValue !== noDiscriminant);
    if (members.length !== discriminantCount) {
      throw this.#invalid(`its union has ${members.length} members and says that it has ${discriminantCount}`);
    }
    if (members.length === 0) return;
    if (members.length === 1) throw this.#invalid("its union has only one member");
    if (!inRange(discriminantOffset, dataWordCount * 4)) {
      throw this.#invalid(
        `its union's tag at ${discriminantOffset} * 16 bits is outside of its ${dataWordCount} data words`,
      );
    }
    const seen = new Set<number>();
    for (const { name, discriminantValue } of members) {
      if (!inRange(discriminantValue, discriminantCount) || seen.has(discriminantValue)) {
        throw this.#invalid(
          `the discriminant ${discriminantValue} of its field ${JSON.stringify(name)} is not one of its own below ${discriminantCount}`,
        );
      }
      seen.add(discriminantValue);
    }
  }

  #slot(body: StructBody, field: Field, slot: SlotBody): void {
    const bits = dataBits[slot.type.which];
    const what = `its field ${JSON.stringify(field.name)}`;
    if (bits === undefined) {
      if (!inRange(slot.offset, body.pointerCount)) {
        throw this.#invalid(`${what} at offset ${slot.offset} is outside of its ${body.pointerCount} pointers`);
      }
    } else if (bits > 0 && !inRange(slot.offset, (body.dataWordCount * 64) / bits)) {
      throw this.#invalid(`${what} at offset ${slot.offset} is outside of its ${body.dataWordCount} data words`);
    }
    this.#type(`the type of ${what}`, slot.type);
    this.#typedValue(`the default value of ${what}`, slot.type, slot.defaultValue);
  }

  #type(what: string, type: Type): void {
    let inner = type;
    while (inner.which === "list") inner = inner.elementType;
    if ("brand" in inner) this.#brand(what, inner.brand);
  }

  #brand(what: string, brand: Brand): void {
    for (const scope of brand.scopes) {
      if (scope.which === "inherit") continue;
      for (const binding of scope.bindings) {
        if (binding.which === "unbound") continue;
        if (dataBits[binding.type.which] !== undefined) {
          throw this.#invalid(`${what} has the type argument ${binding.type.which}, which is not a pointer type`);
        }
        this.#type(what, binding.type);
      }
    }
  }

  #annotations(what: string, annotations: readonly Annotation[]): void {
    for (const { id, brand, value } of annotations) {
      this.#brand(`an annotation of ${what}`, brand);
      this.#value(`the value of the annotation 0x${id.toString(16)} of ${what}`, value);
    }
  }

  #typedValue(what: string, type: Type, value: Value): void {
    if (value.which !== type.which) throw this.#invalid(`${what} is ${value.which} where the type is ${type.which}`);
    this.#value(what, value);
  }

  /** A value is read without limits later on, so that it has to be a tree within its bytes. */
  #value(what: string, value: Value): void {
    if (value.which !== "struct" && value.which !== "list" && value.which !== "anyPointer") return;
    const { value: message } = value;
    if (message.length === 0 || message.length % 8 !== 0) throw this.#invalid(`${what} is not a message`);
    const words = message.length / 8;
    const limits = { traversalLimitInWords: words + this.#voidElementsLeft, nestingLimit: maxValueNesting };
    const arena = readerArena([message], limits);
    try {
      pointerSize(arena.segment(0), 0, maxValueNesting);
    } catch (cause) {
      throw this.#invalid(`${what} is broken: ${(cause as Error).message}`, cause);
    }
    this.#voidElementsLeft = Math.min(this.#voidElementsLeft, arena.traversalLeft);
  }
}
