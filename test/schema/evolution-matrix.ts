/** Two versions of a file. A message has `Root` as its root, in both. */
export interface EvolutionPair {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  /** The name of the root in the version before, where it had another one. */
  readonly rootBefore?: string;
  /** For what is no longer read, or not yet: what C++ says of a message with a value there. */
  readonly refused?: "forward" | "back";
}

const root = (fields: string, rest = ""): string => `struct Root @0xe0e0e0e0e0e0e001 { ${fields} }\n${rest}`;
const inner = (fields: string): string => `struct Inner @0xe0e0e0e0e0e0e002 { ${fields} }`;
const innerPair = (what: string, before: string, after: string, field: string): EvolutionPair => ({
  what,
  before: root(field, inner(before)),
  after: root(field, inner(after)),
});

const toStructs = (element: string, more = ""): EvolutionPair => ({
  what: `a List(${element}) that became a list of structs${more === "" ? "" : ` with ${more}`}`,
  before: root(`l @0 :List(${element}); t @1 :Text;`, inner("i @0 :UInt8; s @1 :Text;")),
  after: root(
    "l @0 :List(Item); t @1 :Text;",
    `${inner("i @0 :UInt8; s @1 :Text;")}\nstruct Item { v @0 :${element}; ${more} }`,
  ),
});

const primitives = ["Void", "Int8", "UInt16", "Int32", "Float32", "Float64", "UInt64"];
const pointers = ["Text", "Data", "List(UInt16)", "List(Text)", "List(Inner)"];

/** Every way in which the language promises that a schema may change, and the ones that it has taken back. */
export const evolutionMatrix: readonly EvolutionPair[] = [
  {
    what: "a struct that grew in data",
    before: root("a @0 :UInt8; t @1 :Text;"),
    after: root(
      "a @0 :UInt8; t @1 :Text; b @2 :UInt64 = 77; c @3 :Bool = true; d @4 :Float64 = 1.5; e @5 :Int32 = -5;",
    ),
  },
  {
    what: "a struct that grew within its data words",
    before: root("a @0 :UInt8; t @1 :Text;"),
    after: root("a @0 :UInt8; t @1 :Text; b @2 :UInt8 = 7; c @3 :Bool = true; d @4 :Int32 = -1;"),
  },
  {
    what: "a struct that grew in pointers",
    before: root("a @0 :UInt32; t @1 :Text;"),
    after: root('a @0 :UInt32; t @1 :Text; u @2 :Text = "new"; l @3 :List(Int16) = [1, 2]; r @4 :Root; d @5 :Data;'),
  },
  {
    what: "a struct that grew in data and pointers",
    before: root("a @0 :UInt32; t @1 :Text; r @2 :Root; l @3 :List(Root);"),
    after: root("a @0 :UInt32; t @1 :Text; r @2 :Root; l @3 :List(Root); b @4 :Int64; u @5 :Text; m @6 :List(Root);"),
  },
  { what: "an empty struct that got fields", before: root(""), after: root("a @0 :Int64 = 3; t @1 :Text;") },
  {
    what: "fields that moved into a group",
    before: root("a @0 :UInt32; b @1 :Text; c @2 :Bool;"),
    after: root("g :group { a @0 :UInt32; c @2 :Bool; h :group { b @1 :Text; } } d @3 :UInt16;"),
  },
  {
    what: "a field that became a member of a union",
    before: root("a @0 :UInt32; b @1 :Text; c @2 :UInt8;"),
    after: root("union { a @0 :UInt32; x @3 :Void; y @4 :UInt64; } b @1 :Text; c @2 :UInt8;"),
  },
  {
    what: "a pointer that became a member of a named union",
    before: root("a @0 :UInt32; b @1 :Text;"),
    after: root("a @0 :UInt32; u :union { b @1 :Text; x @2 :Void; y @3 :Root; z @4 :List(Text); }"),
  },
  {
    what: "a union that grew",
    before: root("union { a @0 :UInt32; b @1 :Text; } c @2 :Text;"),
    after: root("union { a @0 :UInt32; b @1 :Text; d @3 :Root; e :group { f @4 :UInt64; g @5 :Text; } } c @2 :Text;"),
  },
  {
    what: "an enum that grew",
    before: root("e @0 :E; l @1 :List(E);", "enum E { a @0; b @1; }"),
    after: root("e @0 :E; l @1 :List(E);", "enum E { a @0; b @1; c @2; d @3; }"),
  },
  innerPair(
    "structs in a struct that grew",
    "a @0 :UInt32;",
    "a @0 :UInt32; b @1 :UInt64; t @2 :Text;",
    "i @0 :Inner; j @1 :Inner;",
  ),
  innerPair(
    "a list of structs that grew in data",
    "a @0 :UInt32;",
    "a @0 :UInt32; b @1 :UInt64 = 5;",
    "l @0 :List(Inner);",
  ),
  innerPair(
    "a list of structs that grew in pointers",
    "a @0 :UInt32; t @1 :Text;",
    "a @0 :UInt32; t @1 :Text; u @2 :Text; i @3 :Inner;",
    "l @0 :List(Inner);",
  ),
  innerPair(
    "a list of structs that grew in both",
    "t @0 :Text;",
    "t @0 :Text; b @1 :UInt64; l @2 :List(Inner);",
    "l @0 :List(Inner); m @1 :List(List(Inner));",
  ),
  innerPair("a list of empty structs that got fields", "", "a @0 :UInt32; t @1 :Text;", "l @0 :List(Inner);"),
  ...primitives.flatMap((element) => [toStructs(element), toStructs(element, "w @1 :UInt64 = 9; t @2 :Text;")]),
  ...pointers.flatMap((element) => [toStructs(element), toStructs(element, "n @1 :UInt16; t @2 :Text;")]),
  {
    what: "a list of lists whose elements became structs",
    before: root("l @0 :List(List(UInt16));"),
    after: root("l @0 :List(List(Item));", "struct Item { v @0 :UInt16; t @1 :Text; }"),
  },
  {
    what: "a list of Bool that became one of structs",
    before: root("l @0 :List(Bool);"),
    after: root("l @0 :List(Item);", "struct Item { v @0 :Bool; }"),
    refused: "forward",
  },
  {
    what: "a list of structs that became one of Bool",
    before: root("l @0 :List(Item);", "struct Item { v @0 :Bool; }"),
    after: root("l @0 :List(Bool);"),
    refused: "forward",
  },
  ...["Text", "Data", "List(UInt32)", "List(Text)", "Inner", "List(Inner)"].map((type) => ({
    what: `an AnyPointer that ${type} was put for`,
    before: root("p @0 :AnyPointer; q @1 :UInt8;", inner("a @0 :UInt32; t @1 :Text;")),
    after: root(`p @0 :${type}; q @1 :UInt8;`, inner("a @0 :UInt32; t @1 :Text; b @2 :Int64;")),
  })),
  {
    what: "Text that became Data",
    before: root("t @0 :Text;"),
    after: root("t @0 :Data;"),
  },
  {
    what: "Data that became a list of UInt8",
    before: root("t @0 :Data;"),
    after: root("t @0 :List(UInt8);"),
  },
  {
    what: "a struct that got a type parameter",
    before: root("b @0 :Box; l @1 :List(Box);", "struct Box @0xe0e0e0e0e0e0e003 { p @0 :AnyPointer; n @1 :UInt8; }"),
    after: root(
      "b @0 :Box(Text); l @1 :List(Box(Inner));",
      `struct Box @0xe0e0e0e0e0e0e003 (T) { p @0 :T; n @1 :UInt8; q @2 :T; }\n${inner("a @0 :UInt32;")}`,
    ),
  },
  {
    what: "parameters that became a struct with another name",
    before: "interface I @0xe0e0e0e0e0e0e004 { f @0 (a :UInt32, t :Text, l :List(Int8) = [1]) -> (); }",
    after: "struct Root @0xe0e0e0e0e0e0e005 { a @0 :UInt32; t @1 :Text; l @2 :List(Int8) = [1]; b @3 :UInt64; }",
    rootBefore: "I.f$Params",
  },
  {
    what: "a type that was renamed and moved",
    before: root("i @0 :Inner;", inner("a @0 :UInt32; t @1 :Text;")),
    after: root("j @0 :Elsewhere.Other;", "struct Elsewhere { struct Other { x @0 :UInt32; y @1 :Text; } }"),
  },
];
