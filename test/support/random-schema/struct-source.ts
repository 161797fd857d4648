import type { Declaration, Member } from "./declaration.ts";
import type { Random } from "./random.ts";
import type { Ordinal } from "./statement.ts";
import type { Place, TypeSource, TypeWriter } from "./type-source.ts";

/** A member of a struct, a group or a union before its default value and annotations are known. */
export interface MemberSource extends Member {
  readonly members?: readonly MemberSource[];
  readonly source?: TypeSource;
  /** Of a field, or of a union that was made of a field later on. */
  ordinal: Ordinal | undefined;
}

/** Names that mean something elsewhere in the language, or in JavaScript. */
const specialNames = [
  ...["struct", "enum", "interface", "const", "annotation", "using", "import", "embed", "union", "group", "extends"],
  ...["stream", "void", "true", "inf", "nan", "constructor", "toString", "hasOwnProperty", "then", "valueOf"],
];

export function memberName(random: Random, taken: Set<string>): string {
  for (let attempt = 0; ; attempt++) {
    const letters = `${random.pick(["a", "b", "value", "some", "x", "longerName"])}${random.below(10 + attempt)}`;
    const name = random.chance(0.1) ? random.pick(specialNames) : letters;
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}

/** Invents the fields, groups and unions of structs, with ordinals in any order. */
export class StructWriter {
  readonly #random: Random;
  readonly #types: TypeWriter;

  constructor(random: Random, types: TypeWriter) {
    this.#random = random;
    this.#types = types;
  }

  members(struct: Declaration): readonly MemberSource[] {
    const place = { scope: struct, implicit: [] };
    const count = this.#random.chance(0.05) ? this.#random.between(10, 60) : this.#random.below(8);
    const members = this.#members(place, count, struct.names, 3, {
      isUnion: false,
      isInUnion: false,
      dataType: undefined,
    });
    const fields = fieldsOf(members);
    const order = this.#random.chance(0.5) ? fields : this.#random.shuffled(fields);
    for (const [rank, field] of order.entries()) field.ordinal = { rank };
    for (const union of members) {
      if (union.which !== "union" || union.name === "" || !this.#random.chance(0.3)) continue;
      const first = Math.min(...fieldsOf([union]).map(({ ordinal }) => ordinal!.rank));
      union.ordinal = { rank: first + this.#random.pick([-0.4, 0.4]) };
    }
    return members;
  }

  #members(
    place: Place,
    count: number,
    names: Set<string>,
    depth: number,
    around: { readonly isUnion: boolean; readonly isInUnion: boolean; readonly dataType: string | undefined },
  ): MemberSource[] {
    const random = this.#random;
    const { isUnion, dataType } = around;
    let hasUnnamed = isUnion;
    return Array.from({ length: count }, (_, i): MemberSource => {
      const isInnerGroup = dataType !== undefined && !isUnion;
      const roll = depth <= 0 || dataType !== undefined ? 1 : random.below(100) / 100;
      if (roll < 0.12) {
        const inner = { ...around, isUnion: false };
        const name = memberName(random, names);
        const members = this.#members(place, random.between(1, 3), new Set(), depth - 1, inner);
        return { which: "group", name, members, ordinal: undefined };
      }
      if (roll < 0.3) {
        const isUnnamed = !hasUnnamed && random.chance(0.5);
        if (isUnnamed) hasUnnamed = true;
        const name = isUnnamed ? "" : memberName(random, names);
        // A union inside a union must not grow, lest no layout pleases all versions of Cap'n Proto.
        const isInner = isUnion || around.isInUnion;
        const only = isInner && random.chance(0.97) ? random.pick(["Void", "Void", "Bool"]) : undefined;
        const inner = { isUnion: true, isInUnion: true, dataType: only };
        const members = this.#members(place, random.between(2, 4), isUnnamed ? names : new Set(), depth - 1, inner);
        return { which: "union", name, members, ordinal: undefined };
      }
      const name = memberName(random, names);
      const any = this.#types.type(place, 3);
      const isData = any.type.which === "data" || (any.type.which === "named" && any.type.declaration.kind === "enum");
      const fitting = isInnerGroup && i > 0 ? "Void" : dataType;
      const source: TypeSource =
        fitting !== undefined && isData ? { text: fitting, type: { which: "data", name: fitting } } : any;
      return { which: "field", name, source, type: source.type, ordinal: undefined };
    });
  }
}

function fieldsOf(members: readonly MemberSource[]): MemberSource[] {
  return members.flatMap((member) => (member.members === undefined ? [member] : fieldsOf(member.members)));
}
