import { CapnpError } from "../errors.ts";
import { readerArena } from "../serialization/arena.ts";
import { pointerSize } from "../serialization/total-size.ts";
import {
  type Field,
  type InterfaceBody,
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
 * Checks that a node is consistent in itself, so that no accessor made from it reads or writes outside of its struct.
 * Throws CAPNP_SCHEMA otherwise. What it says about other nodes is checked when these are looked up.
 */
export const validateNode = (node: Node): void => {
  switch (node.body.which) {
    case "struct":
      validateStruct(node, node.body);
      break;
    case "enum":
      validateNames(node, "enumerants", node.body.enumerants);
      if (node.body.enumerants.length > 0xffff) throw invalid(node, `it has ${node.body.enumerants.length} enumerants`);
      break;
    case "interface":
      validateInterface(node, node.body);
      break;
    case "const":
      validateValue(node, "its value", node.body.type, node.body.value);
      break;
    default:
  }
};

const invalid = (node: Node, why: string): CapnpError =>
  new CapnpError("CAPNP_SCHEMA", `The schema of ${node.displayName} (0x${node.id.toString(16)}) is invalid: ${why}.`);

/** Names of members, which become properties: each once, and none that could hide this library's own. */
const validateNames = (node: Node, what: string, members: readonly { readonly name: string }[]): void => {
  const seen = new Set<string>();
  for (const { name } of members) {
    if (name === "") throw invalid(node, `one of its ${what} has no name`);
    // `__proto__` is defined as any other property; the library's own begin with one underscore or a dollar sign.
    if ((name.startsWith("_") && name !== "__proto__") || name.startsWith("$")) {
      throw invalid(node, `the name ${JSON.stringify(name)} begins with a character that the language does not allow`);
    }
    if (seen.has(name)) throw invalid(node, `two of its ${what} have the name ${JSON.stringify(name)}`);
    seen.add(name);
  }
};

const validateInterface = (node: Node, body: InterfaceBody): void => {
  validateNames(node, "methods", body.methods);
  if (body.methods.length > 0xffff) throw invalid(node, `it has ${body.methods.length} methods`);
};

const inRange = (value: number, limit: number): boolean => Number.isInteger(value) && value >= 0 && value < limit;

const validateStruct = (node: Node, body: StructBody): void => {
  if (!inRange(body.dataWordCount, 0x10000) || !inRange(body.pointerCount, 0x10000)) {
    throw invalid(node, `its size of ${body.dataWordCount} data words and ${body.pointerCount} pointers is impossible`);
  }
  validateNames(node, "fields", body.fields);
  validateUnion(node, body);
  for (const field of body.fields) {
    if (field.body.which === "slot") validateSlot(node, body, field, field.body);
  }
};

const validateUnion = (node: Node, body: StructBody): void => {
  const members = body.fields.filter((field) => field.discriminantValue !== noDiscriminant);
  if (members.length !== body.discriminantCount) {
    throw invalid(node, `its union has ${members.length} members and says that it has ${body.discriminantCount}`);
  }
  if (members.length === 0) return;
  if (members.length === 1) throw invalid(node, "its union has only one member");
  if (!inRange((body.discriminantOffset + 1) * 16 - 1, body.dataWordCount * 64)) {
    throw invalid(node, `its union's tag at ${body.discriminantOffset} * 16 bits is outside of its data section`);
  }
  const seen = new Set<number>();
  for (const { name, discriminantValue } of members) {
    if (!inRange(discriminantValue, body.discriminantCount) || seen.has(discriminantValue)) {
      throw invalid(node, `the discriminant ${discriminantValue} of its field ${JSON.stringify(name)} is wrong`);
    }
    seen.add(discriminantValue);
  }
};

const validateSlot = (node: Node, body: StructBody, field: Field, slot: SlotBody): void => {
  const bits = dataBits[slot.type.which];
  const place = `its field ${JSON.stringify(field.name)} at offset ${slot.offset}`;
  if (bits === undefined) {
    if (!inRange(slot.offset, body.pointerCount)) {
      throw invalid(node, `${place} is outside of its ${body.pointerCount} pointers`);
    }
  } else if (bits > 0 && !(inRange(slot.offset, 0x400000) && (slot.offset + 1) * bits <= body.dataWordCount * 64)) {
    throw invalid(node, `${place} is outside of its ${body.dataWordCount} data words`);
  }
  validateValue(node, `the default value of its field ${JSON.stringify(field.name)}`, slot.type, slot.defaultValue);
};

const validateValue = (node: Node, what: string, type: Type, value: Value): void => {
  if (value.which !== type.which) throw invalid(node, `${what} is ${value.which} where the type is ${type.which}`);
  if (value.which !== "struct" && value.which !== "list" && value.which !== "anyPointer") return;
  const { value: message } = value;
  if (message.length === 0 || message.length % 8 !== 0) throw invalid(node, `${what} is not a message`);
  // A default value is read without limits later on.
  try {
    const segment = readerArena([message]).segments[0];
    if (segment !== undefined) pointerSize(segment, 0, 64);
  } catch (cause) {
    throw new CapnpError("CAPNP_SCHEMA", `The schema of ${node.displayName} is invalid: ${what} is broken.`, { cause });
  }
};
