import type { Field, Node, SlotBody, StructBody, Type, Value } from "./node.ts";
import { noDiscriminant } from "./node.ts";
import type { TypeKind } from "./references.ts";

/**
 * Nodes that stand for others which need not be loaded yet, with what is known of them: the kind, or the one field that a
 * struct must begin with. Whatever is loaded under their ids must be compatible with them.
 */
const expected = (id: bigint, user: Node, body: Node["body"]): Node => ({
  id,
  displayName: `(unknown type used by ${user.displayName.slice(0, 200)})`,
  displayNamePrefixLength: 0,
  scopeId: 0n,
  parameters: [],
  isGeneric: false,
  nestedNodes: [],
  annotations: [],
  body,
});

const structBody = (dataWordCount: number, pointerCount: number, fields: readonly Field[]): StructBody => ({
  which: "struct",
  dataWordCount,
  pointerCount,
  preferredListEncoding: "inlineComposite",
  isGroup: false,
  discriminantCount: 0,
  discriminantOffset: 0,
  fields,
});

/** A type of which only the kind is known. */
export const expectedType = (id: bigint, user: Node, kind: TypeKind): Node => {
  switch (kind) {
    case "struct":
      return expected(id, user, structBody(0, 0, []));
    case "enum":
      return expected(id, user, { which: "enum", enumerants: [] });
    case "interface":
      return expected(id, user, { which: "interface", methods: [], superclasses: [] });
  }
};

const onlyField = (ordinal: number | undefined, body: SlotBody): Field => ({
  name: "member0",
  codeOrder: 0,
  annotations: [],
  discriminantValue: noDiscriminant,
  ...(ordinal === undefined ? {} : { ordinal }),
  body,
});

/** The struct that values of a type, the elements of a list, have become: its first field is that value. */
export const expectedStruct = (id: bigint, user: Node, type: Type): Node => {
  const slot: SlotBody = { which: "slot", offset: 0, type, defaultValue: zeroOf(type), hadExplicitDefault: false };
  const defaultValue = slot.defaultValue;
  const isPointer = "value" in defaultValue && typeof defaultValue.value === "object";
  const hasPointer = isPointer || type.which === "text" || type.which === "interface";
  const dataWords = hasPointer || type.which === "void" ? 0 : 1;
  return expected(id, user, structBody(dataWords, hasPointer ? 1 : 0, [onlyField(0, slot)]));
};

/** The group that a field of a struct has become: as large as the struct, with that field in its place. */
export const expectedGroup = (id: bigint, struct: Node, field: Field, slot: SlotBody): Node => {
  const { dataWordCount, pointerCount } = struct.body as StructBody;
  return expected(id, struct, structBody(dataWordCount, pointerCount, [onlyField(field.ordinal, slot)]));
};

const zeroOf = ({ which }: Type): Value => {
  switch (which) {
    case "void":
    case "interface":
      return { which };
    case "bool":
      return { which, value: false };
    case "int64":
    case "uint64":
      return { which, value: 0n };
    case "text":
      return { which, value: "" };
    case "data":
      return { which, value: new Uint8Array(0) };
    case "list":
    case "struct":
    case "anyPointer":
      return { which, value: new Uint8Array(8) };
    default:
      return { which, value: 0 };
  }
};
