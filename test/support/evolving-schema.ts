import type { SeededRandom } from "./seeded-random.ts";

/**
 * A struct that changes at random, one step at a time, as a schema does over the years: what C++'s evolution test does.
 * Versions are plain values and print as a schema file.
 */

export interface EvolvingField {
  readonly kind: "field";
  readonly name: string;
  readonly ordinal: number;
  /** Element types from the outside in: `["List", "Text"]`. */
  readonly type: readonly string[];
  readonly defaultValue?: string;
}

/** A union without a name has the name "". */
export interface EvolvingScope {
  readonly kind: "struct" | "group" | "union";
  readonly name: string;
  readonly members: readonly EvolvingMember[];
}

export type EvolvingMember = EvolvingField | EvolvingScope;

/** What is known of a change before anybody has looked at it. */
export type ChangeKind = "compatible" | "incompatible" | "subtle";

export interface EvolvingSchema {
  readonly struct: EvolvingScope;
  readonly nextOrdinal: number;
  /** What the struct's types are made of; never changed. */
  readonly rest: string;
}

export interface Change {
  readonly kind: ChangeKind;
  readonly what: string;
  readonly schema: EvolvingSchema;
}

export const structId = 0x823456789abcdef1n;
const names = ["foo", "bar", "baz", "qux"] as const;

const valueOfType: Readonly<Record<string, (random: SeededRandom) => string>> = {
  Int32: (random) => String(random.below(1 << 24)),
  Float64: (random) => String(random.below(0x7fffffff)),
  Int8: (random) => String(random.below(128)),
  UInt16: (random) => String(random.below(1 << 16)),
  Bool: () => "true",
  Text: (random) => JSON.stringify(random.oneOf(names)),
  StructType: (random) => `(i = ${random.below(1 << 24)})`,
  EnumType: (random) => random.oneOf(names),
};
const typeNames = Object.keys(valueOfType);

/** What a step changes besides the scope that it is given: the next ordinal. */
interface Step {
  readonly random: SeededRandom;
  nextOrdinal: number;
}

/** A change of one member: what it becomes; undefined where the change does not apply to it. */
type Mutation<T> = (step: Step, member: T, scopeHasUnion: boolean) => [ChangeKind, string, EvolvingMember] | undefined;

const newField = (step: Step): EvolvingField => {
  const { random } = step;
  const ordinal = step.nextOrdinal++;
  const element = random.oneOf(typeNames);
  const value = valueOfType[element] as (random: SeededRandom) => string;
  const isList = random.oneIn(4);
  const one = isList
    ? `[${Array.from({ length: random.below(4) + 1 }, () => value(random)).join(", ")}]`
    : value(random);
  const field: EvolvingField = {
    kind: "field",
    name: `f${ordinal}`,
    ordinal,
    type: isList ? ["List", element] : [element],
  };
  return random.oneIn(4) ? { ...field, defaultValue: one } : field;
};

const inserted = <T>(items: readonly T[], item: T, random: SeededRandom): T[] => {
  const at = random.below(items.length + 1);
  return [...items.slice(0, at), item, ...items.slice(at)];
};

const addField: Mutation<EvolvingScope> = (step, scope) => [
  "compatible",
  "a new field",
  { ...scope, members: inserted(scope.members, newField(step), step.random) },
];

const changeMember: Mutation<EvolvingScope> = (step, scope) => {
  if (scope.members.length === 0) return undefined;
  const index = step.random.below(scope.members.length);
  const member = scope.members[index] as EvolvingMember;
  const hasUnion = scope.kind === "union" || scope.members.some((one) => one.kind === "union" && one.name === "");
  const changed =
    member.kind === "field"
      ? step.random.oneOf(fieldMutations)(step, member, hasUnion)
      : step.random.oneOf(scopeMutations)(step, member, hasUnion);
  if (changed === undefined) return undefined;
  return [changed[0], changed[1], { ...scope, members: scope.members.with(index, changed[2]) }];
};

const permute: Mutation<EvolvingScope> = (step, scope) =>
  scope.members.length === 0
    ? undefined
    : ["compatible", "members in another order", { ...scope, members: step.random.shuffled(scope.members) }];

const rename: Mutation<EvolvingMember> = (_step, member) =>
  member.name === ""
    ? ["subtle", "a name for an unnamed union", { ...member, name: "unUnnamed" }]
    : ["compatible", "another name", { ...member, name: `${member.name}Xx` }];

const groupSome: Mutation<EvolvingScope> = (step, scope) => {
  if (scope.kind === "union") return undefined;
  const chosen = scope.members.filter(() => step.random.oneIn(2));
  const [first] = chosen;
  if (first === undefined) return undefined;
  const group: EvolvingScope = { kind: "group", name: `g${step.nextOrdinal}x${first.name}`, members: chosen };
  const rest = scope.members.filter((member) => !chosen.includes(member));
  return ["subtle", "some fields in a new group", { ...scope, members: inserted(rest, group, step.random) }];
};

const scopeMutations: readonly Mutation<EvolvingScope>[] = [
  addField,
  addField,
  addField,
  changeMember,
  changeMember,
  changeMember,
  permute,
  rename,
  groupSome,
];

const listOfStructs: Mutation<EvolvingField> = (_step, field) => {
  const [list, element] = field.type;
  if (field.defaultValue !== undefined || element === undefined || element.includes("Struct")) return undefined;
  // Schema loaders let it pass, but lists of bits are no longer read as lists of structs.
  if (element === "Bool") return undefined;
  return ["compatible", "a list of structs", { ...field, type: [list as string, `${element}Struct`] }];
};

const wrapInGroup: Mutation<EvolvingField> = (step, field, scopeHasUnion) => {
  const name = `g${field.name}`;
  if (step.random.oneIn(2)) return ["compatible", "a group around a field", { kind: "group", name, members: [field] }];
  const unionName = !scopeHasUnion && step.random.oneIn(2) ? "" : name;
  const members = inserted([field], newField(step), step.random) as EvolvingMember[];
  return ["compatible", "a union around a field", { kind: "union", name: unionName, members }];
};

const otherType: Mutation<EvolvingField> = (step, field) => {
  const { type, defaultValue } = field;
  if (defaultValue === undefined) {
    const outer = type.length > 1 && step.random.oneIn(2) ? type.slice(0, -1) : [];
    const old = outer.length === 0 ? type[0] : type.at(-1);
    return ["incompatible", "another type", { ...field, type: [...outer, old?.startsWith("Text") ? "Int32" : "Text"] }];
  }
  const changed =
    type.length > 1 || type[0] === "StructType" || type[0] === "Text"
      ? undefined
      : type[0] === "Bool"
        ? defaultValue === "true"
          ? "false"
          : "true"
        : type[0] === "EnumType"
          ? defaultValue === "foo"
            ? "bar"
            : "foo"
          : String(Number(defaultValue) ^ 1);
  return changed === undefined
    ? undefined
    : ["incompatible", "another default value", { ...field, defaultValue: changed }];
};

const fieldMutations: readonly Mutation<EvolvingField>[] = [listOfStructs, wrapInGroup, otherType, rename];

/** A struct without fields, and the types that its fields will have. */
export const firstVersion = (random: SeededRandom): EvolvingSchema => {
  const elements = typeNames.map((type) => {
    const step: Step = { random, nextOrdinal: 1 };
    const more = Array.from({ length: random.below(4) }, () => printMember(newField(step)));
    return `struct ${type}Struct { f0 @0 :${type}; ${more.join(" ")} }`;
  });
  const enumerants = names.map((name, ordinal) => `${name} @${ordinal};`).join(" ");
  const rest = ["struct StructType { i @0 :UInt32; }", `enum EnumType { ${enumerants} }`, ...elements].join("\n");
  return { struct: { kind: "struct", name: "EvolvingStruct", members: [] }, nextOrdinal: 0, rest };
};

/** The next version. */
export const evolve = (schema: EvolvingSchema, random: SeededRandom): Change => {
  for (;;) {
    const step: Step = { random, nextOrdinal: schema.nextOrdinal };
    const changed = random.oneOf(scopeMutations)(step, schema.struct, false);
    if (changed === undefined) continue;
    const [kind, what, struct] = changed;
    return { kind, what, schema: { ...schema, struct: struct as EvolvingScope, nextOrdinal: step.nextOrdinal } };
  }
};

export const printSchema = ({ struct, rest }: EvolvingSchema): string =>
  `@0x8123456789abcdef;\nstruct ${struct.name} @0x${structId.toString(16)} {${printMembers(struct)}}\n${rest}\n`;

const printMembers = ({ members }: EvolvingScope): string => members.map((one) => `\n  ${printMember(one)}`).join("");

const printMember = (member: EvolvingMember): string => {
  if (member.kind !== "field") {
    const head = member.name === "" ? "union" : `${member.name} :${member.kind}`;
    return `${head} {${printMembers(member)}}`;
  }
  const { name, ordinal, type, defaultValue } = member;
  const typeText = type.reduceRight((inner, outer) => `${outer}(${inner})`);
  return `${name} @${ordinal} :${typeText}${defaultValue === undefined ? "" : ` = ${defaultValue}`};`;
};
