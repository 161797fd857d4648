import { CapnpError } from "../errors.ts";
import { decodeText } from "../serialization/blob.ts";
import { MessageBuilder } from "../serialization/message.ts";
import { resolveBytes, resolveList, target } from "../serialization/resolve-pointer.ts";
import { pointerPosition, readStruct, Struct } from "../serialization/struct.ts";
import { elementSize } from "../serialization/wire-pointer.ts";
import type {
  Annotation,
  AnnotationBody,
  Binding,
  Brand,
  BrandScope,
  CompiledSchema,
  Enumerant,
  Field,
  Method,
  Node,
  NodeBody,
  RequestedFile,
  SourceInfo,
  Type,
  Value,
} from "./node.ts";
import { annotationFlags, bodyTags, elementSizes, pointerKinds, typeTags } from "./node-tags.ts";

/** A struct of schema.capnp; what an older writer left out reads as its default. Offsets are in units of their size. */
export class NodeReader extends Struct {
  uint8(offset: number): number {
    return offset + 1 <= this.$dataBytes ? this.$segment.view.getUint8(this.$data + offset) : 0;
  }

  uint16(offset: number): number {
    return offset * 2 + 2 <= this.$dataBytes ? this.$segment.view.getUint16(this.$data + offset * 2, true) : 0;
  }

  uint32(offset: number): number {
    return offset * 4 + 4 <= this.$dataBytes ? this.$segment.view.getUint32(this.$data + offset * 4, true) : 0;
  }

  uint64(offset: number): bigint {
    return offset * 8 + 8 <= this.$dataBytes ? this.$segment.view.getBigUint64(this.$data + offset * 8, true) : 0n;
  }

  flag(offset: number): boolean {
    return (this.uint8(offset >>> 3) & (1 << (offset & 7))) !== 0;
  }

  /** Text without its NUL; empty where it is null. */
  text(index: number): string {
    if (index >= this.$pointerCount) return "";
    if (!resolveBytes(this.$segment, pointerPosition(this, index), "Text")) return "";
    const { segment, start, length } = target;
    if (length === 0 || segment.bytes[start + length - 1] !== 0) {
      throw new CapnpError("CAPNP_TEXT", "A text in the schema message does not end with a NUL byte.");
    }
    return decodeText(segment.bytes, start, start + length - 1);
  }

  data(index: number): Uint8Array {
    if (index >= this.$pointerCount) return new Uint8Array(0);
    if (!resolveBytes(this.$segment, pointerPosition(this, index), "Data")) return new Uint8Array(0);
    return target.segment.bytes.slice(target.start, target.start + target.length);
  }

  struct(index: number): NodeReader {
    if (index >= this.$pointerCount) return new NodeReader(this.$segment, this.$data, 0, 0, this.$depth);
    return readStruct(NodeReader, this.$segment, pointerPosition(this, index), this.$depth);
  }

  list<T>(index: number, read: (element: NodeReader) => T): T[] {
    if (index >= this.$pointerCount) return [];
    if (!resolveList(this.$segment, pointerPosition(this, index), elementSize.inlineComposite, this.$depth)) return [];
    const { segment, start, length, stepBits, dataBytes, pointerCount } = target;
    const items: T[] = [];
    for (let i = 0; i < length; i++) {
      items.push(read(new NodeReader(segment, start + (i * stepBits) / 8, dataBytes, pointerCount, this.$depth - 1)));
    }
    return items;
  }

  /** What a pointer leads to, as a message of its own. */
  message(index: number): Uint8Array {
    const builder = new MessageBuilder({ firstSegmentWords: 16 });
    if (index < this.$pointerCount) builder.copyRoot(this.$segment, pointerPosition(this, index), this.$depth);
    const segments = builder.segments();
    if (segments.length === 1) return segments[0]!.slice();
    const firstSegmentWords = segments.reduce((words, segment) => words + segment.length / 8, 0);
    const single = new MessageBuilder({ firstSegmentWords });
    single.copyRoot(builder.rootSegment, 0, this.$depth);
    return single.segments()[0]!;
  }
}

function member<T>(members: readonly T[], tag: number, what: string): T {
  const found = members[tag];
  if (found !== undefined) return found;
  throw new CapnpError(
    "CAPNP_SCHEMA",
    `A ${what} has the tag ${tag}, but this version knows ${members.length}: the schema comes from a newer compiler.`,
  );
}

export function readRequest(root: NodeReader): CompiledSchema {
  return {
    nodes: root.list(0, readNode),
    requestedFiles: root.list(1, readRequestedFile),
    sourceInfo: root.list(3, readSourceInfo),
  };
}

function readRequestedFile(element: NodeReader): RequestedFile {
  return { id: element.uint64(0), filename: element.text(0), imports: element.list(1, readNamedId) };
}

function readNamedId(element: NodeReader): { readonly name: string; readonly id: bigint } {
  return { name: element.text(0), id: element.uint64(0) };
}

function readSourceInfo(element: NodeReader): SourceInfo {
  const members = element.list(1, (item) => ({ docComment: item.text(0) }));
  return { id: element.uint64(0), docComment: element.text(0), members };
}

function readName(element: NodeReader): { readonly name: string } {
  return { name: element.text(0) };
}

export function readNode(element: NodeReader): Node {
  return {
    id: element.uint64(0),
    displayName: element.text(0),
    displayNamePrefixLength: element.uint32(2),
    scopeId: element.uint64(2),
    parameters: element.list(5, readName),
    isGeneric: element.flag(288),
    nestedNodes: element.list(1, readNamedId),
    annotations: element.list(2, readAnnotation),
    body: readBody(element),
  };
}

function readBody(element: NodeReader): NodeBody {
  const which = member(bodyTags, element.uint16(6), "node");
  switch (which) {
    case "file":
      return { which };
    case "struct":
      return {
        which,
        dataWordCount: element.uint16(7),
        pointerCount: element.uint16(12),
        preferredListEncoding: member(elementSizes, element.uint16(13), "list encoding"),
        isGroup: element.flag(224),
        discriminantCount: element.uint16(15),
        discriminantOffset: element.uint32(8),
        fields: element.list(3, readField),
      };
    case "enum":
      return { which, enumerants: element.list(3, readEnumerant) };
    case "interface": {
      const superclasses = element.list(4, (item) => ({ id: item.uint64(0), brand: readBrand(item.struct(0)) }));
      return { which, methods: element.list(3, readMethod), superclasses };
    }
    case "const":
      return { which, type: readType(element.struct(3)), value: readValue(element.struct(4)) };
    case "annotation": {
      const flags = Object.fromEntries(annotationFlags.map((flag, i) => [flag, element.flag(112 + i)]));
      return { which, type: readType(element.struct(3)), ...flags } as AnnotationBody;
    }
  }
}

function readEnumerant(element: NodeReader): Enumerant {
  return { name: element.text(0), codeOrder: element.uint16(0), annotations: element.list(1, readAnnotation) };
}

function readField(element: NodeReader): Field {
  const tag = member(["slot", "group"] as const, element.uint16(4), "field");
  const field: Field = {
    name: element.text(0),
    codeOrder: element.uint16(0),
    annotations: element.list(1, readAnnotation),
    discriminantValue: element.uint16(1) ^ 0xffff,
    body:
      tag === "group"
        ? { which: "group", typeId: element.uint64(2) }
        : {
            which: "slot",
            offset: element.uint32(1),
            type: readType(element.struct(2)),
            defaultValue: readValue(element.struct(3)),
            hadExplicitDefault: element.flag(128),
          },
  };
  return element.uint16(5) === 1 ? { ...field, ordinal: element.uint16(6) } : field;
}

function readMethod(element: NodeReader): Method {
  return {
    name: element.text(0),
    codeOrder: element.uint16(0),
    implicitParameters: element.list(4, readName),
    paramStructType: element.uint64(1),
    paramBrand: readBrand(element.struct(2)),
    resultStructType: element.uint64(2),
    resultBrand: readBrand(element.struct(3)),
    annotations: element.list(1, readAnnotation),
  };
}

function readAnnotation(element: NodeReader): Annotation {
  return { id: element.uint64(0), brand: readBrand(element.struct(1)), value: readValue(element.struct(0)) };
}

function readBrand(element: NodeReader): Brand {
  return { scopes: element.list(0, readBrandScope) };
}

function readBrandScope(element: NodeReader): BrandScope {
  const scopeId = element.uint64(0);
  const which = member(["bind", "inherit"] as const, element.uint16(4), "brand scope");
  return which === "inherit" ? { scopeId, which } : { scopeId, which, bindings: element.list(0, readBinding) };
}

function readBinding(element: NodeReader): Binding {
  const which = member(["unbound", "type"] as const, element.uint16(0), "binding");
  return which === "unbound" ? { which } : { which, type: readType(element.struct(0)) };
}

function readType(element: NodeReader): Type {
  const which = member(typeTags, element.uint16(0), "type");
  switch (which) {
    case "list":
      return { which, elementType: readType(element.struct(0)) };
    case "enum":
    case "struct":
    case "interface":
      return { which, typeId: element.uint64(1), brand: readBrand(element.struct(0)) };
    case "anyPointer":
      break;
    default:
      return { which };
  }
  switch (
    member(["unconstrained", "parameter", "implicitMethodParameter"] as const, element.uint16(4), "pointer type")
  ) {
    case "parameter":
      return { which, kind: "parameter", scopeId: element.uint64(2), parameterIndex: element.uint16(5) };
    case "implicitMethodParameter":
      return { which, kind: "implicitMethodParameter", parameterIndex: element.uint16(5) };
    case "unconstrained":
      return { which, kind: member(pointerKinds, element.uint16(5), "kind of pointer") };
  }
}

const scratch = new DataView(new ArrayBuffer(8));

function readValue(element: NodeReader): Value {
  const which = member(typeTags, element.uint16(0), "value");
  switch (which) {
    case "void":
    case "interface":
      return { which };
    case "bool":
      return { which, value: element.flag(16) };
    case "int8":
      return { which, value: (element.uint8(2) << 24) >> 24 };
    case "uint8":
      return { which, value: element.uint8(2) };
    case "int16":
      return { which, value: (element.uint16(1) << 16) >> 16 };
    case "uint16":
    case "enum":
      return { which, value: element.uint16(1) };
    case "int32":
      return { which, value: element.uint32(1) | 0 };
    case "uint32":
      return { which, value: element.uint32(1) };
    case "float32":
      scratch.setUint32(0, element.uint32(1));
      return { which, value: scratch.getFloat32(0) };
    case "int64":
      return { which, value: BigInt.asIntN(64, element.uint64(1)) };
    case "uint64":
      return { which, value: element.uint64(1) };
    case "float64":
      scratch.setBigUint64(0, element.uint64(1));
      return { which, value: scratch.getFloat64(0) };
    case "text":
      return { which, value: element.text(0) };
    case "data":
      return { which, value: element.data(0) };
    case "struct":
    case "list":
    case "anyPointer":
      return { which, value: element.message(0) };
  }
}
