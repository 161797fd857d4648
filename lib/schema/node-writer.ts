import { initList, initStruct, initStructList, setData, setText } from "../serialization/pointer-builder.ts";
import { target } from "../serialization/resolve-pointer.ts";
import { MessageReader } from "../serialization/message.ts";
import { copyPointer } from "../serialization/copy.ts";
import { pointerPosition, Struct } from "../serialization/struct.ts";
import type {
  Annotation,
  Brand,
  CompiledSchema,
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

/** A struct of schema.capnp under construction; offsets are those of schema.capnp's own layout, in units of their size. */
export class NodeWriter extends Struct {
  uint16(offset: number, value: number): void {
    this.$segment.view.setUint16(this.$data + offset * 2, value, true);
  }

  uint32(offset: number, value: number): void {
    this.$segment.view.setUint32(this.$data + offset * 4, value, true);
  }

  uint64(offset: number, value: bigint): void {
    this.$segment.view.setBigUint64(this.$data + offset * 8, value, true);
  }

  flag(offset: number, value: boolean): void {
    if (value) this.$segment.bytes[this.$data + (offset >>> 3)]! |= 1 << (offset & 7);
  }

  /** An empty text stays a null pointer unless `keepEmpty`. */
  text(index: number, value: string, keepEmpty = false): void {
    if (value !== "" || keepEmpty) setText(this.$segment, pointerPosition(this, index), value);
  }

  data(index: number, value: Uint8Array, keepEmpty: boolean): void {
    if (value.length > 0 || keepEmpty) setData(this.$segment, pointerPosition(this, index), value);
  }

  struct(index: number, dataWords: number, pointerCount: number): NodeWriter {
    initStruct(this.$segment, pointerPosition(this, index), dataWords * 8, pointerCount);
    return new NodeWriter(target.segment, target.start, dataWords * 8, pointerCount, 0);
  }

  /** An empty list stays a null pointer unless `keepEmpty`, as the C++ compiler writes that list. */
  list<T>(
    index: number,
    dataWords: number,
    pointerCount: number,
    items: readonly T[],
    write: (element: NodeWriter, item: T) => void,
    keepEmpty = false,
  ): void {
    if (items.length === 0 && !keepEmpty) return;
    const position = pointerPosition(this, index);
    if (dataWords + pointerCount === 0) initList(this.$segment, position, 0, items.length);
    else initStructList(this.$segment, position, items.length, dataWords * 8, pointerCount);
    const { segment, start } = target;
    const step = (dataWords + pointerCount) * 8;
    for (const [i, item] of items.entries()) {
      write(new NodeWriter(segment, start + i * step, dataWords * 8, pointerCount, 0), item);
    }
  }

  /** Copies a value that is a message of its own. */
  message(index: number, value: Uint8Array): void {
    const { rootSegment } = new MessageReader([value], unlimited);
    copyPointer(this.$segment, pointerPosition(this, index), rootSegment, 0, unlimited.nestingLimit);
  }
}

/** Values come out of a compiler or were checked when they were read. */
const unlimited = { traversalLimitInWords: Number.POSITIVE_INFINITY, nestingLimit: 4096 };

export function writeRequest(root: NodeWriter, schema: CompiledSchema): void {
  const kinds = new Map(schema.nodes.map(({ id, body }) => [id, body.which]));
  root.list(0, 5, 6, schema.nodes, writeNode);
  root.list(1, 1, 2, schema.requestedFiles, writeRequestedFile);
  root.list(3, 1, 2, schema.sourceInfo, (element, info) => {
    const kind = kinds.get(info.id);
    writeSourceInfo(element, info, kind === "enum" || kind === "interface");
  });
}

function writeRequestedFile(element: NodeWriter, { id, filename, imports }: RequestedFile): void {
  element.uint64(0, id);
  element.text(0, filename);
  element.list(1, 1, 1, imports, writeNamedId, true);
}

function writeNamedId(element: NodeWriter, item: { readonly name: string; readonly id: bigint }): void {
  element.uint64(0, item.id);
  element.text(0, item.name);
}

function writeSourceInfo(element: NodeWriter, { id, docComment, members }: SourceInfo, keepEmpty: boolean): void {
  element.uint64(0, id);
  element.text(0, docComment);
  element.list(1, 0, 1, members, (member, item) => member.text(0, item.docComment), keepEmpty);
}

function writeName(element: NodeWriter, { name }: { readonly name: string }): void {
  element.text(0, name);
}

export function writeNode(element: NodeWriter, node: Node): void {
  const { body } = node;
  element.uint64(0, node.id);
  element.text(0, node.displayName);
  element.uint32(2, node.displayNamePrefixLength);
  element.uint64(2, node.scopeId);
  // groups and the structs of parameter lists are no scopes
  const isScope = body.which !== "struct" || !(body.isGroup || node.scopeId === 0n);
  element.list(1, 1, 1, node.nestedNodes, writeNamedId, isScope);
  element.list(2, 1, 2, node.annotations, writeAnnotation);
  element.list(5, 0, 1, node.parameters, writeName);
  element.flag(288, node.isGeneric);
  element.uint16(6, bodyTags.indexOf(body.which));
  writeBody(element, body);
}

function writeBody(element: NodeWriter, body: NodeBody): void {
  switch (body.which) {
    case "struct":
      element.uint16(7, body.dataWordCount);
      element.uint16(12, body.pointerCount);
      element.uint16(13, elementSizes.indexOf(body.preferredListEncoding));
      element.flag(224, body.isGroup);
      element.uint16(15, body.discriminantCount);
      element.uint32(8, body.discriminantOffset);
      element.list(3, 3, 4, body.fields, writeField);
      break;
    case "enum":
      element.list(
        3,
        1,
        2,
        body.enumerants,
        (item, { name, codeOrder, annotations }) => {
          item.text(0, name);
          item.uint16(0, codeOrder);
          item.list(1, 1, 2, annotations, writeAnnotation);
        },
        true,
      );
      break;
    case "interface":
      element.list(3, 3, 5, body.methods, writeMethod, true);
      element.list(
        4,
        1,
        1,
        body.superclasses,
        (item, { id, brand }) => {
          item.uint64(0, id);
          writeBrand(item, 0, brand);
        },
        true,
      );
      break;
    case "const":
      writeType(element.struct(3, 3, 1), body.type);
      writeValue(element.struct(4, 2, 1), body.value, true);
      break;
    case "annotation":
      writeType(element.struct(3, 3, 1), body.type);
      for (const [i, flag] of annotationFlags.entries()) element.flag(112 + i, body[flag]);
      break;
    case "file":
  }
}

function writeField(element: NodeWriter, field: Field): void {
  const { body } = field;
  element.text(0, field.name);
  element.uint16(0, field.codeOrder);
  element.list(1, 1, 2, field.annotations, writeAnnotation);
  element.uint16(1, field.discriminantValue ^ 0xffff);
  if (body.which === "slot") {
    element.uint32(1, body.offset);
    writeType(element.struct(2, 3, 1), body.type);
    writeValue(element.struct(3, 2, 1), body.defaultValue, body.hadExplicitDefault);
    element.flag(128, body.hadExplicitDefault);
  } else {
    element.uint16(4, 1);
    element.uint64(2, body.typeId);
  }
  if (field.ordinal !== undefined) {
    element.uint16(5, 1);
    element.uint16(6, field.ordinal);
  }
}

function writeMethod(element: NodeWriter, method: Method): void {
  element.text(0, method.name);
  element.uint16(0, method.codeOrder);
  element.uint64(1, method.paramStructType);
  element.uint64(2, method.resultStructType);
  element.list(1, 1, 2, method.annotations, writeAnnotation);
  writeBrand(element, 2, method.paramBrand);
  writeBrand(element, 3, method.resultBrand);
  element.list(4, 0, 1, method.implicitParameters, writeName, true);
}

function writeAnnotation(element: NodeWriter, { id, brand, value }: Annotation): void {
  element.uint64(0, id);
  writeValue(element.struct(0, 2, 1), value, true);
  writeBrand(element, 1, brand, true);
}

function writeBrand(parent: NodeWriter, index: number, { scopes }: Brand, keepEmpty = false): void {
  if (scopes.length === 0 && !keepEmpty) return;
  parent.struct(index, 0, 1).list(0, 2, 1, scopes, (element, scope) => {
    element.uint64(0, scope.scopeId);
    if (scope.which === "inherit") {
      element.uint16(4, 1);
      return;
    }
    element.list(0, 1, 1, scope.bindings, (item, binding) => {
      if (binding.which === "unbound") return;
      item.uint16(0, 1);
      writeType(item.struct(0, 3, 1), binding.type);
    });
  });
}

function writeType(element: NodeWriter, type: Type): void {
  element.uint16(0, typeTags.indexOf(type.which));
  switch (type.which) {
    case "list":
      writeType(element.struct(0, 3, 1), type.elementType);
      break;
    case "enum":
    case "struct":
    case "interface":
      element.uint64(1, type.typeId);
      writeBrand(element, 0, type.brand);
      break;
    case "anyPointer":
      if (type.kind === "parameter") {
        element.uint16(4, 1);
        element.uint64(2, type.scopeId);
        element.uint16(5, type.parameterIndex);
      } else if (type.kind === "implicitMethodParameter") {
        element.uint16(4, 2);
        element.uint16(5, type.parameterIndex);
      } else {
        element.uint16(5, pointerKinds.indexOf(type.kind));
      }
      break;
    default:
  }
}

/** `isExplicit` tells the empty Text or Data that a schema spells out from the absent one, which is a null pointer. */
function writeValue(element: NodeWriter, value: Value, isExplicit: boolean): void {
  const { view } = element.$segment;
  const data = element.$data;
  element.uint16(0, typeTags.indexOf(value.which));
  switch (value.which) {
    case "bool":
      element.flag(16, value.value);
      break;
    case "int8":
    case "uint8":
      view.setUint8(data + 2, value.value);
      break;
    case "int16":
    case "uint16":
    case "enum":
      view.setUint16(data + 2, value.value, true);
      break;
    case "int32":
    case "uint32":
      view.setUint32(data + 4, value.value, true);
      break;
    case "float32":
      view.setFloat32(data + 4, value.value, true);
      break;
    case "int64":
    case "uint64":
      view.setBigUint64(data + 8, value.value, true);
      break;
    case "float64":
      view.setFloat64(data + 8, value.value, true);
      break;
    case "text":
      element.text(0, value.value, isExplicit);
      break;
    case "data":
      element.data(0, value.value, isExplicit);
      break;
    case "struct":
    case "list":
    case "anyPointer":
      element.message(0, value.value);
      break;
    default:
  }
}
