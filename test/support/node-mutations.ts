import type {
  Brand,
  EnumBody,
  Field,
  InterfaceBody,
  Method,
  Node,
  SlotBody,
  StructBody,
  Type,
  Value,
} from "../../lib/schema/node.ts";
import { noDiscriminant } from "../../lib/schema/node.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Small changes of nodes, sensible and senseless ones: what another compiler, a newer version or an attacker may send. */

interface Ids {
  readonly struct: readonly bigint[];
  readonly enum: readonly bigint[];
  readonly interface: readonly bigint[];
  readonly all: readonly bigint[];
}

const idsOf = (nodes: readonly Node[]): Ids => {
  const of = (which: string): bigint[] => nodes.filter(({ body }) => body.which === which).map(({ id }) => id);
  return { struct: of("struct"), enum: of("enum"), interface: of("interface"), all: nodes.map(({ id }) => id) };
};

const noBrand: Brand = { scopes: [] };

const randomType = (random: SeededRandom, ids: Ids, depth = 2): Type => {
  const which = random.oneOf([
    "void",
    "bool",
    "int8",
    "uint8",
    "int32",
    "uint64",
    "float32",
    "float64",
    "text",
    "data",
    "list",
    "list",
    "enum",
    "struct",
    "interface",
    "anyPointer",
  ] as const);
  switch (which) {
    case "list":
      return depth === 0 ? { which: "text" } : { which, elementType: randomType(random, ids, depth - 1) };
    case "enum":
    case "struct":
    case "interface": {
      // Now and then a node of another kind, or one that nobody has.
      const id = random.oneIn(20) ? 0xdeadn : random.oneOf(random.oneIn(20) ? ids.all : ids[which]);
      return { which, typeId: id, brand: random.oneIn(4) ? randomBrand(random, ids) : noBrand };
    }
    case "anyPointer":
      return { which, kind: "unconstrained" };
    default:
      return { which };
  }
};

const randomBrand = (random: SeededRandom, ids: Ids): Brand => ({
  scopes: [
    {
      scopeId: random.oneOf(ids.all),
      which: "bind",
      bindings: [{ which: "type", type: randomType(random, ids, 1) }],
    },
  ],
});

const zeroOf = ({ which }: Type, random: SeededRandom): Value => {
  switch (which) {
    case "void":
    case "interface":
      return { which };
    case "bool":
      return { which, value: random.oneIn(4) };
    case "int64":
    case "uint64":
      return { which, value: BigInt(random.below(2)) };
    case "text":
      return { which, value: random.oneIn(2) ? "" : "x" };
    case "data":
      return { which, value: new Uint8Array(random.below(2)) };
    case "list":
    case "struct":
    case "anyPointer":
      return { which, value: new Uint8Array(8) };
    default:
      return { which, value: random.oneIn(4) ? 1 : 0 };
  }
};

const changedAt = <T>(items: readonly T[], random: SeededRandom, change: (item: T) => T): readonly T[] => {
  if (items.length === 0) return items;
  const index = random.below(items.length);
  return items.with(index, change(items[index] as T));
};

const aroundOf = (value: number, random: SeededRandom): number => Math.max(0, value + random.oneOf([-1, 1, 2]));

type BodyMutation<B> = (body: B, random: SeededRandom, ids: Ids) => B;

const withField =
  (change: (field: Field, random: SeededRandom, ids: Ids) => Field): BodyMutation<StructBody> =>
  (body, random, ids) => ({ ...body, fields: changedAt(body.fields, random, (field) => change(field, random, ids)) });

const withSlot = (change: (slot: SlotBody, random: SeededRandom, ids: Ids) => SlotBody): BodyMutation<StructBody> =>
  withField((field, random, ids) =>
    field.body.which === "slot" ? { ...field, body: change(field.body, random, ids) } : field,
  );

const pointerTypes: readonly Type[] = [
  { which: "text" },
  { which: "data" },
  { which: "anyPointer", kind: "unconstrained" },
  { which: "list", elementType: { which: "uint8" } },
  { which: "list", elementType: { which: "int32" } },
];

const structMutations: readonly BodyMutation<StructBody>[] = [
  (body, random) => ({ ...body, dataWordCount: aroundOf(body.dataWordCount, random) }),
  (body, random) => ({ ...body, pointerCount: aroundOf(body.pointerCount, random) }),
  (body, random) => ({ ...body, discriminantCount: aroundOf(body.discriminantCount, random) }),
  (body, random) => ({ ...body, discriminantOffset: aroundOf(body.discriminantOffset, random) }),
  (body) => ({ ...body, fields: body.fields.slice(0, -1) }),
  (body) => ({ ...body, isGroup: !body.isGroup }),
  (body, random, ids) => {
    const type = randomType(random, ids);
    const slot: SlotBody = {
      which: "slot",
      offset: random.below(3),
      type,
      defaultValue: zeroOf(type, random),
      hadExplicitDefault: false,
    };
    const last = body.fields.at(-1)?.ordinal ?? -1;
    const field: Field = {
      name: `added${random.below(5)}`,
      codeOrder: body.fields.length,
      annotations: [],
      discriminantValue: noDiscriminant,
      ordinal: last + 1,
      body: slot,
    };
    return {
      ...body,
      pointerCount: Math.max(3, body.pointerCount),
      dataWordCount: Math.max(3, body.dataWordCount),
      fields: [...body.fields, field],
    };
  },
  (body, random) => ({ ...body, fields: random.shuffled(body.fields) }),
  withField((field, random) => ({ ...field, codeOrder: aroundOf(field.codeOrder, random) })),
  withField((field, random) => ({ ...field, discriminantValue: random.oneOf([0, 1, 2, 3, noDiscriminant]) })),
  withField((field, random) =>
    field.ordinal === undefined ? field : { ...field, ordinal: aroundOf(field.ordinal, random) },
  ),
  withField(({ ordinal: _, ...field }) => field),
  withField((field, random) => ({ ...field, name: random.oneOf(["a", "b", "renamed"]) })),
  withField((field, random, ids) => {
    if (field.body.which === "slot") return field;
    return { ...field, body: { which: "group", typeId: random.oneOf(ids.all) } };
  }),
  withField((field, random, ids) => {
    if (field.body.which === "slot" || random.oneIn(2)) return field;
    const type = randomType(random, ids);
    return {
      ...field,
      body: { which: "slot", offset: 0, type, defaultValue: zeroOf(type, random), hadExplicitDefault: false },
    };
  }),
  withSlot((slot, random) => ({ ...slot, offset: aroundOf(slot.offset, random) })),
  withSlot((slot, random, ids) => {
    const type = randomType(random, ids);
    return { ...slot, type, defaultValue: zeroOf(type, random) };
  }),
  withSlot((slot, random, ids) => ({ ...slot, defaultValue: zeroOf(randomType(random, ids), random) })),
  withSlot((slot, random) => ({ ...slot, defaultValue: zeroOf(slot.type, random) })),
  withSlot((slot, random) => {
    if (!pointerTypes.some(({ which }) => which === slot.type.which)) return slot;
    const type = random.oneOf(pointerTypes);
    return { ...slot, type, defaultValue: zeroOf(type, random) };
  }),
  withSlot((slot, random, ids) => {
    if (slot.type.which !== "list") return slot;
    return { ...slot, type: { which: "list", elementType: randomType(random, ids, 1) } };
  }),
];

const enumMutations: readonly BodyMutation<EnumBody>[] = [
  (body) => ({ ...body, enumerants: body.enumerants.slice(0, -1) }),
  (body) => ({
    ...body,
    enumerants: [...body.enumerants, { name: "added", codeOrder: body.enumerants.length, annotations: [] }],
  }),
  (body, random) => ({
    ...body,
    enumerants: changedAt(body.enumerants, random, (one) => ({ ...one, codeOrder: aroundOf(one.codeOrder, random) })),
  }),
  (body, random) => ({
    ...body,
    enumerants: changedAt(body.enumerants, random, (one) => ({ ...one, name: random.oneOf(["a", "renamed"]) })),
  }),
];

const withMethod =
  (change: (method: Method, random: SeededRandom, ids: Ids) => Method): BodyMutation<InterfaceBody> =>
  (body, random, ids) => ({ ...body, methods: changedAt(body.methods, random, (one) => change(one, random, ids)) });

const interfaceMutations: readonly BodyMutation<InterfaceBody>[] = [
  (body) => ({ ...body, methods: body.methods.slice(0, -1) }),
  (body, random, ids) => {
    const [first] = body.methods;
    if (first === undefined) return body;
    const method = {
      ...first,
      name: "added",
      codeOrder: body.methods.length,
      paramStructType: random.oneOf(ids.struct),
    };
    return { ...body, methods: [...body.methods, method] };
  },
  (body, random, ids) => ({
    ...body,
    superclasses: [
      ...body.superclasses,
      { id: random.oneOf(random.oneIn(5) ? ids.all : ids.interface), brand: noBrand },
    ],
  }),
  (body) => ({ ...body, superclasses: body.superclasses.slice(1) }),
  (body, random, ids) => ({
    ...body,
    superclasses: body.superclasses.map((one) => ({ ...one, brand: randomBrand(random, ids) })),
  }),
  withMethod((method, random, ids) => ({ ...method, paramStructType: random.oneOf(ids.all) })),
  withMethod((method, random, ids) => ({ ...method, resultStructType: random.oneOf(ids.struct) })),
  withMethod((method, random, ids) => ({ ...method, resultBrand: randomBrand(random, ids) })),
  withMethod((method, random) => ({ ...method, codeOrder: aroundOf(method.codeOrder, random) })),
  withMethod((method, random) => ({ ...method, name: random.oneOf(["a", "b"]) })),
];

const changeNode = (node: Node, random: SeededRandom, ids: Ids, nodes: readonly Node[]): Node => {
  switch (random.below(4)) {
    case 0:
      return { ...node, isGeneric: !node.isGeneric };
    case 1:
      return { ...node, isGeneric: true, parameters: [...node.parameters, { name: "Added" }] };
    case 2:
      return { ...node, scopeId: random.oneOf(ids.all) };
    default:
      return { ...node, body: (random.oneOf(nodes) as Node).body };
  }
};

/** A node with one to three changes. */
export const mutatedNode = (node: Node, random: SeededRandom, nodes: readonly Node[]): Node => {
  const ids = idsOf(nodes);
  let changed = node;
  for (let count = random.below(3) + 1; count > 0; count--) {
    const { body } = changed;
    if (random.oneIn(12)) changed = changeNode(changed, random, ids, nodes);
    else if (body.which === "struct") changed = { ...changed, body: random.oneOf(structMutations)(body, random, ids) };
    else if (body.which === "enum") changed = { ...changed, body: random.oneOf(enumMutations)(body, random, ids) };
    else if (body.which === "interface")
      changed = { ...changed, body: random.oneOf(interfaceMutations)(body, random, ids) };
  }
  return changed;
};
