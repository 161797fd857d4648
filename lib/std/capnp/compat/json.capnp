# JSON values, and annotations that say how a type looks in JSON:
#
#     using Json = import "/capnp/compat/json.capnp";
#     myField @0 :Text $Json.name("my_field");
@0x8ef99297a43a5e34;

$import "/capnp/c++.capnp".namespace("capnp::json");

struct Value {
  # Any JSON value.

  union {
    null @0 :Void;
    boolean @1 :Bool;
    number @2 :Float64;
    string @3 :Text;
    array @4 :List(Value);
    object @5 :List(Field);
    # In order, and with duplicate names if there are any.

    call @6 :Call;
    # No JSON: a name applied to values, as in `ISODate("2015-04-15")`, which some formats write.
  }

  struct Field {
    name @0 :Text;
    value @1 :Value;
  }

  struct Call {
    function @0 :Text;
    params @1 :List(Value);
  }
}

annotation name @0xfa5b1fd61c2e7c3d (field, enumerant, method, group, union) :Text;
# What the item is called in JSON.

annotation flatten @0x82d3e852af0336bf (field, group, union) :FlattenOptions;
# The members of the item appear in JSON as members of what is around it.

struct FlattenOptions {
  prefix @0 :Text = "";
  # Put before the names of the flattened members.
}

annotation discriminator @0xcfa794e8d19a0162 (struct, union) :DiscriminatorOptions;
# A member of the JSON object names the active member of the union, instead of the presence of that member.

struct DiscriminatorOptions {
  name @0 :Text;
  # What the naming member is called. Default: the union's name.

  valueName @1 :Text;
  # What the value is called, whichever member is active. Default: the active member's name.
}

annotation base64 @0xd7d879450a253e4b (field) :Void;
# Data as a Base64 string.

annotation hex @0xf061e22f0ae5c7b5 (field) :Void;
# Data as a string of hexadecimal digits.

annotation notification @0xa0a054dea32fd98c (method) :Void;
# A JSON-RPC method that is not answered.
