# The form in which a compiled schema travels: from a compiler to its code generators, and between programs.
using Cxx = import "/capnp/c++.capnp";

@0xa93fc509624c72d9;
$Cxx.namespace("capnp::schema");

using Id = UInt64;
# Of a file, a type, a constant or an annotation; unique in the world. Bit 63 is set.

struct Node {
  # One declaration, compiled. Groups, and the structs of parameter and result lists, are nodes too.
  id @0 :Id;

  displayName @1 :Text;
  # `path/file.capnp:Outer.Inner`, for people.

  displayNamePrefixLength @2 :UInt32;
  # How much of `displayName` precedes the node's own name.

  scopeId @3 :Id;
  # The node around it; 0 for files, and for structs of parameter and result lists.

  parameters @32 :List(Parameter);
  # The node's own type parameters.

  isGeneric @33 :Bool;
  # It, or a node around it, has type parameters.

  struct Parameter {

    name @0 :Text;
  }

  nestedNodes @4 :List(NestedNode);
  # What is declared inside, without groups.

  struct NestedNode {
    name @0 :Text;

    id @1 :Id;
  }

  annotations @5 :List(Annotation);

  union {

    file @6 :Void;

    struct :group {
      dataWordCount @7 :UInt16;

      pointerCount @8 :UInt16;

      preferredListEncoding @9 :ElementSize;
      # Always `inlineComposite` in newer compilers.

      isGroup @10 :Bool;

      discriminantCount @11 :UInt16;
      # Members of the unnamed union; 0 if there is none.

      discriminantOffset @12 :UInt32;
      # Where the union's tag is, in units of 16 bits.

      fields @13 :List(Field);
      # By ordinal; a group or union by the lowest ordinal in it.
    }

    enum :group {
      enumerants@14 :List(Enumerant);
    }

    interface :group {
      methods @15 :List(Method);

      superclasses @31 :List(Superclass);
    }

    const :group {
      type @16 :Type;
      value @17 :Value;
    }

    annotation :group {
      type @18 :Type;

      targetsFile @19 :Bool;
      targetsConst @20 :Bool;
      targetsEnum @21 :Bool;
      targetsEnumerant @22 :Bool;
      targetsStruct @23 :Bool;
      targetsField @24 :Bool;
      targetsUnion @25 :Bool;
      targetsGroup @26 :Bool;
      targetsInterface @27 :Bool;
      targetsMethod @28 :Bool;
      targetsParam @29 :Bool;
      targetsAnnotation @30 :Bool;
    }
  }

  struct SourceInfo {
    # What the source says beyond the node itself.

    id @0 :Id;

    docComment @1 :Text;

    members @2 :List(Member);
    # In the order of the node's fields, enumerants or methods.

    struct Member {
      docComment @0 :Text;
    }

  }
}

struct Field {
  # A member of a struct.

  name @0 :Text;

  codeOrder @1 :UInt16;
  # Its place in the source, among its siblings.

  annotations @2 :List(Annotation);

  const noDiscriminant :UInt16 = 0xffff;

  discriminantValue @3 :UInt16 = Field.noDiscriminant;
  # The value of the tag while this member of the unnamed union is active.

  union {
    slot :group {

      offset @4 :UInt32;
      # In units of the field's size, from the start of its section.

      type @5 :Type;
      defaultValue @6 :Value;

      hadExplicitDefault @10 :Bool;
    }

    group :group {
      # A group or a named union.

      typeId @7 :Id;
    }
  }

  ordinal :union {
    # The number behind the `@`, for fields and for unions that have one.
    implicit @8 :Void;
    explicit @9 :UInt16;
  }
}

struct Enumerant {

  name @0 :Text;

  codeOrder @1 :UInt16;

  annotations @2 :List(Annotation);
}

struct Superclass {
  # An interface that an interface extends.
  id @0 :Id;
  brand @1 :Brand;
}

struct Method {
  # A method of an interface.

  name @0 :Text;

  codeOrder @1 :UInt16;

  implicitParameters @7 :List(Node.Parameter);
  # Type parameters of the method itself.

  paramStructType @2 :Id;

  paramBrand @5 :Brand;

  resultStructType @3 :Id;

  resultBrand @6 :Brand;

  annotations @4 :List(Annotation);
}

struct Type {
  # The type of a field, constant or annotation.

  union {

    void @0 :Void;
    bool @1 :Void;
    int8 @2 :Void;
    int16 @3 :Void;
    int32 @4 :Void;
    int64 @5 :Void;
    uint8 @6 :Void;
    uint16 @7 :Void;
    uint32 @8 :Void;
    uint64 @9 :Void;
    float32 @10 :Void;
    float64 @11 :Void;
    text @12 :Void;
    data @13 :Void;

    list :group {
      elementType @14 :Type;
    }

    enum :group {
      typeId @15 :Id;
      brand @21 :Brand;
    }
    struct :group {
      typeId @16 :Id;
      brand @22 :Brand;
    }
    interface :group {
      typeId @17 :Id;
      brand @23 :Brand;
    }

    anyPointer :union {
      unconstrained :union {

        anyKind @18 :Void;
        struct @25 :Void;
        list @26 :Void;
        capability @27 :Void;
      }

      parameter :group {
        # A type parameter of the node or of one around it.

        scopeId @19 :Id;

        parameterIndex @20 :UInt16;
      }

      implicitMethodParameter :group {
        # A type parameter of the method.

        parameterIndex @24 :UInt16;
      }
    }
  }
}

struct Brand {
  # The type arguments of a generic type.

  scopes @0 :List(Scope);
  # Those of the type itself and of the scopes around it; each at most once.

  struct Scope {
    scopeId @0 :Id;

    union {
      bind @1 :List(Binding);

      inherit @2 :Void;
      # The same arguments as where the type is used.
    }
  }

  struct Binding {
    union {
      unbound @0 :Void;
      type @1 :Type;

    }
  }
}

struct Value {
  # A value of a type.

  union {

    void @0 :Void;
    bool @1 :Bool;
    int8 @2 :Int8;
    int16 @3 :Int16;
    int32 @4 :Int32;
    int64 @5 :Int64;
    uint8 @6 :UInt8;
    uint16 @7 :UInt16;
    uint32 @8 :UInt32;
    uint64 @9 :UInt64;
    float32 @10 :Float32;
    float64 @11 :Float64;
    text @12 :Text;
    data @13 :Data;

    list @14 :AnyPointer;

    enum @15 :UInt16;
    struct @16 :AnyPointer;

    interface @17 :Void;

    anyPointer @18 :AnyPointer;
  }
}

struct Annotation {
  # An annotation applied to something.

  id @0 :Id;

  brand @2 :Brand;

  value @1 :Value;
}

enum ElementSize {
  # How the elements of a list lie in memory.

  empty @0;
  bit @1;
  byte @2;
  twoBytes @3;
  fourBytes @4;
  eightBytes @5;
  pointer @6;
  inlineComposite @7;
}

struct CapnpVersion {
  # The version of the compiler.
  major @0 :UInt16;
  minor @1 :UInt8;
  micro @2 :UInt8;
}

struct CodeGeneratorRequest {
  # What a compiler hands to a code generator, on its standard input.
  capnpVersion @2 :CapnpVersion;

  nodes @0 :List(Node);
  # All that the requested files declare and depend on.

  sourceInfo @3 :List(Node.SourceInfo);

  requestedFiles @1 :List(RequestedFile);
  # The files named on the command line.

  struct RequestedFile {
    id @0 :Id;

    filename @1 :Text;

    imports @2 :List(Import);
    # The files that its types come from.

    struct Import {
      id @0 :Id;

      name @1 :Text;
    }
  }
}
