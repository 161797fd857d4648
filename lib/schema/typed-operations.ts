import type { AllocationOptions } from "../serialization/arena.ts";
import type { FieldSchema } from "./schema.ts";
import type { StructBuilder, StructReader } from "./struct-base.ts";
import type { BuilderSide, FieldsOf, FieldType, Initable, SideOf, SizedField, TypeOf } from "./typed-struct.ts";
import type { BuilderOf, ReaderOf } from "./type-views.ts";

/** How functions over structs see those of generated types; of all others they know at run time what they are. */
export interface Get {
  <S extends StructReader, K extends keyof FieldsOf<TypeOf<S>>>(
    struct: S,
    field: K,
  ): FieldType<TypeOf<S>, K, SideOf<S>>;
  (struct: unknown, field: string | FieldSchema): unknown;
}

export interface SetField {
  <S extends StructBuilder & BuilderSide, K extends keyof FieldsOf<TypeOf<S>>>(
    struct: S,
    field: K,
    value: FieldType<TypeOf<S>, K, "input"> | FieldType<TypeOf<S>, K, "cleared">,
  ): void;
  (struct: unknown, field: string | FieldSchema, value: unknown): void;
}

export interface Init {
  <S extends StructBuilder & BuilderSide, K extends Initable<FieldsOf<TypeOf<S>>, false>>(
    struct: S,
    field: K,
  ): FieldType<TypeOf<S>, K, "made">;
  <S extends StructBuilder & BuilderSide, K extends Initable<FieldsOf<TypeOf<S>>, true>, N extends number>(
    struct: S,
    field: K,
    count: N,
  ): SizedField<TypeOf<S>, K, N>;
  (struct: unknown, field: string | FieldSchema, count?: number): unknown;
}

export interface AsReader {
  <S extends StructReader | StructBuilder>(struct: S): [TypeOf<S>] extends [never] ? StructReader : ReaderOf<TypeOf<S>>;
  (struct: unknown): StructReader;
}

export interface Copy {
  <S extends StructReader | StructBuilder>(
    struct: S,
    options?: AllocationOptions,
  ): [TypeOf<S>] extends [never] ? StructBuilder : BuilderOf<TypeOf<S>>;
  (struct: unknown, options?: AllocationOptions): StructBuilder;
}
