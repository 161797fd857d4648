/** The union members and enumerants of schema.capnp, each list in the order of their tags. */
export const bodyTags = ["file", "struct", "enum", "interface", "const", "annotation"] as const;

/** Of both Type and Value. */
export const typeTags = [
  "void",
  "bool",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "float32",
  "float64",
  "text",
  "data",
  "list",
  "enum",
  "struct",
  "interface",
  "anyPointer",
] as const;

export const elementSizes = [
  "empty",
  "bit",
  "byte",
  "twoBytes",
  "fourBytes",
  "eightBytes",
  "pointer",
  "inlineComposite",
] as const;

/** Of `Type.anyPointer.unconstrained`. */
export const pointerKinds = ["unconstrained", "struct", "list", "capability"] as const;

export const annotationFlags = [
  "targetsFile",
  "targetsConst",
  "targetsEnum",
  "targetsEnumerant",
  "targetsStruct",
  "targetsField",
  "targetsUnion",
  "targetsGroup",
  "targetsInterface",
  "targetsMethod",
  "targetsParam",
  "targetsAnnotation",
] as const;
