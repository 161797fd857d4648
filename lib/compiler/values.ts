import type { Field, StructBody, Type } from "../schema/node.ts";
import type { Expression, LocatedText, TupleParam } from "./ast.ts";
import type { DepthGuard } from "./depth-guard.ts";
import type { ErrorReporter } from "./diagnostics.ts";
import { dataLgSizes, imageOf, integerRanges, isDataType, type LiteralValue, writeData } from "./literal-value.ts";
import { activate, clearGroup, setField } from "./struct-literal.ts";
import { type Bindings, bindType, sameType } from "./type-binding.ts";
import type { ValueBudget } from "./value-budget.ts";
import { type ListImage, resized, StructImage } from "./value-image.ts";

/** What reading a value asks of the declarations around it. */
export interface ValueContext {
  readonly errors: ErrorReporter;
  readonly depth: DepthGuard;
  readonly budget: ValueBudget;
  /** The value of the constant that `name` refers to; undefined where an error has been reported. */
  readConstant(name: Expression): LiteralValue | undefined;
  /** The bytes of an embedded file; undefined where an error has been reported. */
  readEmbed(path: LocatedText): Uint8Array | undefined;
  /** The root of an embedded message, as a struct of this type; undefined where the bytes are none. */
  readMessage(bytes: Uint8Array): StructImage | undefined;
  /**
   * Makes sure that the nodes that `type` names are known with their types. False where one of them is broken, which
   * has been reported: then nothing can be said about values of the type.
   */
  resolveType(type: Type): boolean;
  /** A struct or group, laid out; undefined where errors in it have been reported. */
  structBody(id: bigint): StructBody | undefined;
  enumerants(id: bigint): readonly { readonly name: string }[] | undefined;
  /** A node's own name. */
  nameOf(id: bigint): string;
}

/** Reads value expressions. A value's own form decides what it is; the expected type serves as a hint and is then checked. */
export class ValueReader {
  readonly #context: ValueContext;
  readonly #errors: ErrorReporter;

  constructor(context: ValueContext) {
    this.#context = context;
    this.#errors = context.errors;
  }

  /** The value of `source` as a `type`; undefined where an error has been reported. */
  read(source: Expression, type: Type): LiteralValue | undefined {
    if (!this.#context.resolveType(type)) return undefined;
    if (type.which === "anyPointer" && (type.kind === "parameter" || type.kind === "implicitMethodParameter")) {
      this.#errors.report(
        source,
        "Cannot interpret value because the type is a generic type parameter which is not yet bound. We don't know " +
          "what type to expect here.",
      );
      return undefined;
    }
    if (!this.#context.depth.enter()) {
      this.#context.depth.report(this.#errors, source);
      return undefined;
    }
    const literal = this.#interpret(source, type);
    this.#context.depth.leave();
    if (literal === undefined) return undefined;
    const range = literal.which === "int" ? integerRanges[type.which] : undefined;
    if (range !== undefined && literal.which === "int") return this.#inRange(source, literal.value, range);
    if (matches(literal, type)) return literal;
    return this.#mismatch(source, type);
  }

  #inRange(source: Expression, value: bigint, [least, most]: readonly [bigint, bigint]): LiteralValue {
    if (value >= least && value <= most) return { which: "int", value };
    this.#errors.report(source, "Integer value out of range.");
    return { which: "int", value: value < least ? least : most };
  }

  #mismatch(source: Expression, type: Type): undefined {
    this.#errors.report(source, `Type mismatch; expected ${this.#typeName(type)}.`);
  }

  #typeName(type: Type): string {
    switch (type.which) {
      case "list":
        return `List(${this.#typeName(type.elementType)})`;
      case "struct":
      case "enum":
      case "interface":
        return this.#context.nameOf(type.typeId);
      case "anyPointer":
        return "AnyPointer";
      case "uint8":
      case "uint16":
      case "uint32":
      case "uint64":
        return `UInt${type.which.slice(4)}`;
      default:
        return type.which[0]!.toUpperCase() + type.which.slice(1);
    }
  }

  #interpret(source: Expression, type: Type): LiteralValue | undefined {
    switch (source.which) {
      case "relativeName":
        return this.#name(source.name.text, type) ?? this.#context.readConstant(source);
      case "absoluteName":
      case "import":
      case "application":
      case "member":
        return this.#context.readConstant(source);
      case "embed":
        return this.#embed(source, source.name, type);
      case "positiveInt":
        return { which: "int", value: source.value };
      case "negativeInt":
        if (source.value <= 1n << 63n) return { which: "int", value: -source.value };
        this.#errors.report(source, "Integer is too big to be negative.");
        return undefined;
      case "float":
        return { which: "float", value: source.value };
      case "string":
        return { which: type.which === "data" ? "data" : "text", bytes: source.bytes };
      case "binary":
        return type.which === "data" ? { which: "data", bytes: source.bytes } : this.#mismatch(source, type);
      case "list":
        return type.which === "list"
          ? { which: "list", type, image: this.#list(source, source.elements, type.elementType) }
          : this.#mismatch(source, type);
      case "tuple":
        return type.which === "struct" ? this.#struct(source, source.params, type) : this.#mismatch(source, type);
      case "unknown":
        return undefined;
    }
  }

  /** The names that mean something by themselves; where an enum is expected, only its enumerants do. */
  #name(name: string, type: Type): LiteralValue | undefined {
    if (type.which === "enum") {
      const value = this.#context.enumerants(type.typeId)?.findIndex((enumerant) => enumerant.name === name) ?? -1;
      return value < 0 ? undefined : { which: "enum", type, value };
    }
    switch (name) {
      case "void":
        return { which: "void" };
      case "true":
      case "false":
        return { which: "bool", value: name === "true" };
      case "nan":
        return { which: "float", value: Number.NaN };
      case "inf":
        return { which: "float", value: Number.POSITIVE_INFINITY };
      default:
        return undefined;
    }
  }

  #embed(source: Expression, path: LocatedText, type: Type): LiteralValue | undefined {
    const bytes = this.#context.readEmbed(path);
    if (bytes === undefined) return undefined;
    switch (type.which) {
      case "text":
      case "data":
        return { which: type.which, bytes };
      case "struct": {
        const image = this.#context.readMessage(bytes);
        if (image !== undefined) return { which: "struct", type, image: this.#atLeast(image, type.typeId) };
        this.#errors.report(source, "Embedded file is not a valid Cap'n Proto message.");
        return undefined;
      }
      default:
        this.#errors.report(source, "Embeds can only be used when Text, Data, or a struct is expected.");
        return undefined;
    }
  }

  /** A message of an older version of its struct grows to what the struct is now. */
  #atLeast(image: StructImage, typeId: bigint): StructImage {
    const body = this.#context.structBody(typeId);
    const dataWordCount = Math.max(image.data.byteLength / 8, body?.dataWordCount ?? 0);
    const pointerCount = Math.max(image.pointers.length, body?.pointerCount ?? 0);
    return resized(image, dataWordCount, pointerCount);
  }

  #list(list: Expression, sources: readonly Expression[], elementType: Type): ListImage | undefined {
    const count = sources.length;
    if (elementType.which === "struct") {
      const body = this.#context.structBody(elementType.typeId);
      if (body === undefined) return undefined;
      const { dataWordCount, pointerCount } = body;
      if (!this.#affords(list, sources.length * (dataWordCount + pointerCount))) return undefined;
      const elements = sources.map((source) => {
        const literal = this.read(source, elementType);
        const image = literal?.which === "struct" ? literal.image : undefined;
        if (image === undefined) return new StructImage(dataWordCount, pointerCount);
        // an embedded message may be of another version of the struct
        const fits = image.data.byteLength === dataWordCount * 8 && image.pointers.length === pointerCount;
        return fits ? image : resized(image, dataWordCount, pointerCount);
      });
      return { which: "structs", elements, dataWordCount, pointerCount };
    }
    if (elementType.which === "void" || isDataType(elementType.which)) {
      const { which } = elementType;
      const lgSize = which === "void" ? undefined : dataLgSizes[which]!;
      const bytes = new Uint8Array(lgSize === undefined ? 0 : Math.ceil((count * 2 ** lgSize) / 8));
      const view = new DataView(bytes.buffer);
      for (const [i, source] of sources.entries()) {
        const literal = this.read(source, elementType);
        if (literal !== undefined && which !== "void") writeData(view, i, which, literal);
      }
      const size = lgSize === undefined ? 0 : lgSize === 0 ? 1 : lgSize - 1;
      return { which: "data", size, count, bytes };
    }
    const elements = sources.map((source) => {
      const literal = this.read(source, elementType);
      return literal && imageOf(literal);
    });
    return { which: "pointers", elements };
  }

  #affords(source: Expression, words: number): boolean {
    if (this.#context.budget.take(words)) return true;
    this.#errors.report(source, this.#context.budget.message);
    return false;
  }

  #struct(source: Expression, params: readonly TupleParam[], type: NamedType): LiteralValue | undefined {
    const body = this.#context.structBody(type.typeId);
    if (body === undefined || !this.#affords(source, body.dataWordCount + body.pointerCount)) return undefined;
    const image = new StructImage(body.dataWordCount, body.pointerCount);
    this.#fill(image, body, params, type.brand);
    return { which: "struct", type, image };
  }

  #fill(image: StructImage, struct: StructBody, params: readonly TupleParam[], bindings: Bindings): void {
    for (const { name, value } of params) {
      if (name === undefined) {
        this.#errors.report(value, "Missing field name.");
        continue;
      }
      const field = struct.fields.find((candidate) => candidate.name === name.text);
      if (field === undefined) {
        this.#errors.report(name, `Struct has no field named '${name.text}'.`);
      } else if (field.body.which === "slot") {
        const literal = this.read(value, bindType(field.body.type, bindings));
        if (literal !== undefined) setField(image, struct, field, literal);
      } else {
        activate(image, struct, field);
        const group = this.#groupOf(field);
        clearGroup(image, group, (inner) => this.#groupOf(inner));
        if (value.which === "tuple") this.#fill(image, group, value.params, bindings);
        else this.#errors.report(value, "Type mismatch; expected group.");
      }
    }
  }

  #groupOf(field: Field): StructBody {
    const body = field.body.which === "group" ? this.#context.structBody(field.body.typeId) : undefined;
    return body ?? emptyGroup;
  }
}

type NamedType = Extract<Type, { readonly typeId: bigint }>;

/** Stands in for a group whose struct has errors. */
const emptyGroup: StructBody = {
  which: "struct",
  dataWordCount: 0,
  pointerCount: 0,
  preferredListEncoding: "inlineComposite",
  isGroup: true,
  discriminantCount: 0,
  discriminantOffset: 0,
  fields: [],
};

function matches(literal: LiteralValue, type: Type): boolean {
  switch (literal.which) {
    case "int":
    case "float":
      return type.which === "float32" || type.which === "float64";
    case "void":
    case "bool":
    case "text":
    case "data":
      return type.which === literal.which;
    case "enum":
      return sameType(literal.type, type);
    case "list":
    case "struct":
      return type.which === "anyPointer"
        ? type.kind === "unconstrained" || type.kind === literal.which
        : sameType(literal.type, type);
    case "anyPointer":
      return type.which === "anyPointer";
  }
}
